"""AWS's own description of its API, as botocore brings it, put to requests and to answers.

`request_breaches` reads a call's form parameters back by the model: names, the numbering of lists,
types, the values of enumerations, required members. `answer_breaches` does the same with the XML
of an answer. Both see what botocore itself would overlook.
"""

import re
import xml.etree.ElementTree

import botocore.loaders
import botocore.model

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z")
SERVICES = {"2016-11-15": "ec2", "2011-06-15": "sts", "2010-05-08": "iam"}
WHOLE = r"-?\d+"

_MODELS = {}


def service(version):
    """The model of the service that has this API version."""
    if version not in _MODELS:
        name = SERVICES[version]
        data = botocore.loaders.Loader().load_service_model(name, "service-2", version)
        _MODELS[version] = botocore.model.ServiceModel(data, name)
    return _MODELS[version]


def request_breaches(form):
    """Where a call's parameters, a dict, aren't what the model says."""
    left = dict(form)
    version, action = left.pop("Version", None), left.pop("Action", None)
    if version not in SERVICES:
        return ["there is no API of the version %s" % version]
    model = service(version)
    if action not in model.operation_names:
        return ["%s has no action %s" % (model.service_name, action)]
    shape = model.operation_model(action).input_shape
    found = []
    if shape is not None:
        found = list(_structure(shape, "", left, model.metadata["protocol"] == "ec2"))
    return ["%s: %s" % (action, breach) for breach in found] + [
        "%s: %s is no parameter of it" % (action, name) for name in sorted(left)
    ]


def _name(member, shape, is_ec2):
    """What a member is called in a form (botocore's serializers of the two protocols)."""
    if is_ec2:
        name = shape.serialization.get("queryName")
        if name:
            return name
        name = shape.serialization.get("name", member)
        return name[0].upper() + name[1:]
    return shape.serialization.get("name", member)


def _structure(shape, prefix, left, is_ec2):
    for member, inner in shape.members.items():
        name = prefix + _name(member, inner, is_ec2)
        there = name in left or any(key.startswith(name + ".") for key in left)
        if there:
            yield from _value(inner, name, left, is_ec2)
        elif member in shape.required_members:
            yield "%s is missing" % name


def _value(shape, name, left, is_ec2):
    """Takes what the model knows below `name` out of `left`."""
    if shape.type_name == "structure":
        yield from _structure(shape, name + ".", left, is_ec2)
    elif shape.type_name == "list":
        below = [key[len(name) + 1:].split(".")[0] for key in left if key.startswith(name + ".")]
        numbers = sorted({int(part) for part in below if part.isdigit()})
        if numbers != list(range(1, len(numbers) + 1)):
            yield "%s is numbered %s" % (name, numbers)
        for number in numbers:
            yield from _value(shape.member, "%s.%d" % (name, number), left, is_ec2)
    elif name in left:
        breach = _scalar(shape, left.pop(name))
        if breach:
            yield "%s is %s" % (name, breach)


def _scalar(shape, text):
    right = {
        "boolean": lambda: text in ("true", "false"),
        "integer": lambda: re.fullmatch(WHOLE, text),
        "long": lambda: re.fullmatch(WHOLE, text),
        "timestamp": lambda: TIME.fullmatch(text),
        "string": lambda: not getattr(shape, "enum", None) or text in shape.enum,
    }.get(shape.type_name, lambda: True)
    if right():
        return None
    kind = "one of its enumeration" if shape.type_name == "string" else shape.type_name
    return "no %s: %r" % (kind, text)


def answer_breaches(shape, action, body):
    """Where an answer's XML isn't what the model says of `shape`, its envelope taken off."""
    root = xml.etree.ElementTree.fromstring(body)
    wrapper = shape.serialization.get("resultWrapper") if shape else None
    if wrapper:
        results = [element for element in root if element.tag.endswith("}" + wrapper)]
        if len(results) != 1:
            return ["%s has %d elements %s" % (action, len(results), wrapper)]
        return list(_element(shape, results[0], action, "member"))
    # Of actions that tell nothing EC2 still says `<return>true</return>`.
    extra = ("requestId",) if shape else ("requestId", "return")
    for child in list(root):
        if child.tag.rpartition("}")[2] in extra:
            root.remove(child)
    if shape is None:
        return ["%s tells %s" % (action, child.tag) for child in root]
    return list(_element(shape, root, action, "item"))


def _element(shape, element, where, of_lists):
    """`of_lists` is what the protocol calls the members of a list unless the model says."""
    if shape.type_name == "structure":
        known = {
            inner.serialization.get("name", name): (name, inner)
            for name, inner in shape.members.items()
        }
        seen = set()
        for child in element:
            tag = child.tag.rpartition("}")[2]
            if tag not in known:
                yield "%s has no element %s" % (where, tag)
                continue
            if tag in seen:
                yield "%s has %s twice" % (where, tag)
            seen.add(tag)
            name, inner = known[tag]
            yield from _element(inner, child, "%s.%s" % (shape.name, name), of_lists)
    elif shape.type_name == "list":
        item = shape.member.serialization.get("name", of_lists)
        for child in element:
            tag = child.tag.rpartition("}")[2]
            if tag != item:
                yield "%s is a list of %s, not of %s" % (where, item, tag)
            yield from _element(shape.member, child, where, of_lists)
    else:
        breach = _scalar(shape, element.text or "")
        if len(element) or breach:
            yield "%s is %s" % (where, breach or "no " + shape.type_name)
