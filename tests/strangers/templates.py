"""Templates: what rehome renders, and what the real Jinja2 does.

Three sources of templates: templates.txt (by hand), every `str` method with many texts and arguments
(made here), and every character that Python knows (made here as well). Both engines render each of
them; what comes out has to be the same byte for byte, or an error on both sides. Where it is known
to differ it has to differ, in exactly the way that template_differences.py says, and
docs/templates.md has to have it.
"""

import itertools
import json
import pathlib
import subprocess
import unicodedata

import jinja2

from lab import check, expect
from template_differences import DIFFERENCES

HERE = pathlib.Path(__file__).resolve().parent
DOCUMENT = HERE.parent.parent / "docs" / "templates.md"

# Both sides begin with this line, because rehome renders nothing that cloud-init wouldn't take.
HEAD = "#!/bin/sh\n"

RENDER_SECONDS = 120

PLACE = {
    "route_destination": "10.0.0.10/32",
    "site": {
        "az": "us-east-1b",
        "subnet": "subnet-0123456789abcdef0",
        "cidr": "172.31.32.0/20",
    },
    "vpc": "vpc-0123456789abcdef0",
    "region": "us-east-1",
}

# The same as a template sees it.
VARIABLES = {
    "AZ_SUBNET_DEF_ROUTE": "172.31.32.1",
    "ROUTE_DESTINATION": "10.0.0.10/32",
    "VIP_ADDRESS": "10.0.0.10",
    "VIP_PREFIX": 32,
    "AZ": "us-east-1b",
    "SUBNET_ID": "subnet-0123456789abcdef0",
    "SUBNET_CIDR": "172.31.32.0/20",
    "VPC_ID": "vpc-0123456789abcdef0",
    "REGION": "us-east-1",
}

TEXTS = [
    "", "a", "abc", "Hello World", "hello  world ", "  lead", "a,b,,c,", "10.0.0.10/32", "-42", "+7",
    "ALLCAPS", "MiXeD case it's", "tab\there\tx", "line\nbreak\r\nnext\x0bpart\x85end\u2028z",
    "straße", "ﬁx ǆ", "ΑΣ ΣΑΣ", "İı", "日本語", "x²½Ⅷ", "éÉ e\u0301", "\u00a0x\u2003", "aaaa", "__a1__",
    "class", "{}-{0}", "１２", "\x1f.\x1c",
]

# For every method the arguments it is called with, as a template writes them.
NONE = [""]
PAD = ["5", "0", "-3", "6, '*'", "9, 'é'", "4, ''", "4, 'ab'", "", "'x'", "2.0", "none", "true", "7, fillchar='x'"]
FIND = [
    "'a'", "''", "'o'", "'zz'", "'a', 1", "'a', -2", "'', 1, 1", "'', 99", "'a', 0, 2", "'a', none, -1",
    "'a', none, none", "'a', 3, 1", "5", "", "'a', 'b'", "'l', -99, 99", "'a', 1.0", "'', -1", "'a', true",
]
AFFIX = FIND + ["('a', 'H')", "('x',)", "()", "['a']", "('a', 5)", "(5, 'a')", "none"]
SPLIT = [
    "", "','", "'a'", "none", "none, 1", "' '", "' ', 1", "',', 2", "',', 0", "none, 0", "',', -1", "''",
    "sep=','", "maxsplit=1", "sep=none, maxsplit=1", "',', maxsplit=1", "5", "'.', 1, 2", "nosuch=1", "'\\n'",
    "',', none", "',', 1.5", "'aa'", "none, 2",
]
STRIP = ["", "none", "'a'", "' a'", "'xyz'", "''", "5", "'ab', 'c'", "chars='a'", "'日é'", "'Hd'"]
METHODS = {
    "capitalize": NONE + ["1"], "casefold": NONE, "lower": NONE + ["1"], "swapcase": NONE,
    "title": NONE, "upper": NONE + ["x=1"],
    "center": PAD, "ljust": PAD, "rjust": PAD,
    "zfill": ["5", "0", "-1", "8", "", "'x'", "none", "2.0", "true", "4, 5"],
    "expandtabs": ["", "4", "0", "-1", "1", "tabsize=3", "none", "'x'", "2.0", "4, 5"],
    "count": FIND, "find": FIND, "index": FIND, "rfind": FIND, "rindex": FIND,
    "startswith": AFFIX, "endswith": AFFIX,
    **{"is" + name: NONE for name in (
        "alnum", "alpha", "ascii", "decimal", "digit", "identifier", "lower", "numeric", "printable",
        "space", "title", "upper",
    )},
    "join": ["['x', 'y']", "'xyz'", "[]", "['a']", "[1, 2]", "('p', 'q')", "{'k': 1, 'j': 2}", "5", "none", "", "['a', none]"],
    "strip": STRIP, "lstrip": STRIP, "rstrip": STRIP,
    "partition": ["','", "' '", "''", "'a'", "5", "", "'zz'", "'.', 1", "none"],
    "rpartition": ["','", "' '", "''", "'a'", "5", "", "'zz'", "none"],
    "removeprefix": ["'a'", "''", "'Hello '", "5", "", "'-'", "('a',)"],
    "removesuffix": ["'c'", "''", "'/32'", "5", "", "'d'"],
    "replace": [
        "'a', 'b'", "'a', ''", "'', '-'", "'', '-', 2", "'a', 'b', 1", "'a', 'b', 0", "'a', 'b', -1",
        "'aa', 'b'", "'a'", "", "1, 2", "'a', 'b', none", "'a', 'b', 1.0", "'a', 'b', true", "'é', 'e'",
    ],
    "split": SPLIT, "rsplit": SPLIT,
    "splitlines": ["", "true", "false", "keepends=true", "1", "0", "true, true"],
    "translate": [
        "{97: 'X'}", "{97: none, 98: 'yy'}", "{97: 98}", "{}", "", "5", "none", "'abc'",
        "''.maketrans('abc', 'xyz')", "''.maketrans('ab', 'xy', 'c')", "''.maketrans({'a': 'b', 'l': none, 111: 'O'})",
        "''.maketrans('ab', 'x')", "''.maketrans('ab')", "''.maketrans({'ab': 'c'})",
    ],
    "format": ["", "1", "1, 2", "'x', y=2"],
    "format_map": ["{'a': 1}", "{}", "5", ""],
}

FORMATS = [
    "'{} {}'.format(1, 'a')", "'{1}{0}'.format('a', 'b')", "'{x}-{y}'.format(x=1, y='z')",
    "'{:5}|{:<5}|{:>5}|{:^5}'.format('a', 'b', 'c', 'd')", "'{:*^7}'.format('x')",
    "'{:5d}|{:05d}|{:+d}|{:,}|{:_}'.format(42, 42, 42, 1234567, 1234567)",
    "'{:.2f} {:8.3f} {:e} {:g} {:%}'.format(3.14159, 2.5, 12345.678, 0.0001, 0.25)",
    "'{:x} {:X} {:o} {:b} {:#x} {:c}'.format(255, 255, 8, 5, 255, 65)",
    "'{0[0]} {0[1]}'.format(['a', 'b'])", "'{a[k]}'.format(a={'k': 1})", "'{{}} {}'.format(1)",
    "'{!r} {!s}'.format('x', 'y')", "'{} {}'.format(1)", "'{x}'.format(1)", "'{'.format(1)",
    "'{} {0}'.format(1)", "'{:d}'.format('x')", "'{:.1}'.format('xyz')", "'{:{}}'.format('a', 5)",
    "'{}'.format(none)", "'{}'.format(1.0)", "'{}'.format(true)", "'{}'.format([1, 'a'])", "'{}'.format(1e20)",
    "'{:>10}'.format('日本')", "'{:<3}|'.format(7)", "'{:010.2f}'.format(-3.14159)", "'{: d}'.format(5)",
    "'{a}'.format_map({'a': 5})", "'{a}'.format_map({'b': 5})", "'{a[0]} {b}'.format_map({'a': [1], 'b': 'x'})",
    "'%s' ~ 1", "'{:n}'.format(5)", "'{:=+6d}'.format(5)", "'{:s}'.format('x')", "'{:s}'.format(5)",
]

# Python and rehome know different editions of Unicode; between them these characters were changed.
CHANGED = "\u019b\u0264\u0295\u10fc\ua7d3\ua7d5\ua7f2\ua7f3\ua7f4\uab69"
CHARACTERS_PER_TEMPLATE = 500


def by_hand():
    """The templates of templates.txt, by name."""
    text = (HERE / "templates.txt").read_text(encoding="utf-8")
    for part in ("\n" + text).split("\n== ")[1:]:
        title, _, body = part.partition("\n")
        kind, _, name = title.partition(": ")
        expect(kind in ("each", "whole"), "unknown kind of section: " + title)
        if kind == "whole":
            yield name, body
            continue
        for line in body.split("\n"):
            if line:
                yield "%s: %s" % (name, line), line


def of_methods():
    for method, shapes in METHODS.items():
        for shape in shapes:
            for text in TEXTS:
                call = "{{ [%s.%s(%s)] }}" % (quoted(text), method, shape)
                yield call, call
    for text in FORMATS:
        yield text, "{{ [%s] }}" % text


def of_characters():
    """Every assigned character; of the big regular scripts only the first ones."""
    regular = [(0x3500, 0x4D00), (0x4F00, 0x9F00), (0xAD00, 0xD700), (0x17100, 0x18A00), (0x20100, 0x2F700)]
    known = [
        chr(code)
        for code in range(0x20, 0x32000)
        if not any(low <= code < high for low, high in regular)
        and unicodedata.category(chr(code)) not in ("Cn", "Cs", "Co")
        and chr(code) not in CHANGED
    ]
    asked = ["c.is%s()|int" % name[2:] for name in METHODS if name.startswith("is") and name != "istitle"]
    asked.append("c.istitle()|int")
    flags = "{{ %s }}" % " ~ ".join(asked)
    for start in range(0, len(known), CHARACTERS_PER_TEMPLATE):
        part = known[start:start + CHARACTERS_PER_TEMPLATE]
        name = "characters from U+%04X" % ord(part[0])
        characters = quoted("".join(part))
        yield name + ", what they are", "{%% for c in %s %%}%s {%% endfor %%}" % (characters, flags)
        for method in ("upper", "lower", "title", "swapcase", "casefold", "capitalize"):
            yield "%s, %s" % (name, method), "{%% for c in %s %%}{{ c.%s() }} {%% endfor %%}" % (characters, method)
        yield name + ", printed in a list", "{{ [%s] }}" % characters


def quoted(text):
    """As a template writes it; both engines know these escapes."""
    out = []
    for c in text:
        if c in "'\\":
            out.append("\\" + c)
        elif ord(c) < 0x20 or c in "\x7f\x85\u2028\u2029":
            out.append("\\u%04x" % ord(c))
        else:
            out.append(c)
    return "'%s'" % "".join(out)


class Rendered:
    """What an engine made of a template: text, or an error."""

    def __init__(self, text=None, error=None, hint=None):
        self.text = text
        self.error = error
        self.hint = hint

    def same(self, other):
        return self.text == other.text and (self.error is None) == (other.error is None)

    def __str__(self):
        return "error: " + self.error if self.text is None else repr(self.text[len(HEAD):])


def by_jinja2(template):
    try:
        return Rendered(text=jinja2.Template(HEAD + template).render(VARIABLES))
    except Exception as error:  # whatever a template can raise, of Jinja2 or of Python
        return Rendered(error="%s: %s" % (type(error).__name__, error))


def by_rehome(command, templates):
    orders = "".join(json.dumps(dict(PLACE, template=HEAD + text)) + "\n" for text in templates)
    done = subprocess.run(
        command, input=orders.encode(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        timeout=RENDER_SECONDS, check=False,
    )
    expect(done.returncode == 0, "it ended with %d: %s" % (done.returncode, done.stderr.decode()))
    answers = [json.loads(line) for line in done.stdout.decode().split("\n")[:-1]]
    expect(len(answers) == len(templates), "%d answers" % len(answers))
    return [
        Rendered(text=answer["text"]) if "text" in answer else Rendered(**answer["error"])
        for answer in answers
    ]


def compare(command, cases, results_at_least):
    """Every case renders alike."""
    cases = list(cases)
    expect(len(cases) >= results_at_least, "only %d templates" % len(cases))
    wrong = []
    for (name, template), ours in zip(cases, by_rehome(command, [text for _, text in cases])):
        theirs = by_jinja2(template)
        if not ours.same(theirs):
            wrong.append("%s\n  Jinja2 %s\n  rehome %s" % (name, theirs, ours))
    expect(not wrong, "%d of %d differ:\n%s" % (len(wrong), len(cases), "\n".join(wrong[:20])))


def differ(command):
    """Every known difference is one, in the way that is written down, and in the document."""
    document = DOCUMENT.read_text(encoding="utf-8")
    ours_of_all = by_rehome(command, [difference.template for difference in DIFFERENCES])
    wrong = []
    for difference, ours in zip(DIFFERENCES, ours_of_all):
        theirs = by_jinja2(difference.template)
        seen = ours.error if ours.text is None else ours.text[len(HEAD):]
        expected = seen == difference.rehome
        if ours.text is None:
            expected = difference.rehome.startswith("error: ") and difference.rehome[7:] in ours.error
        if ours.same(theirs):
            wrong.append("%s: no difference any more: %s" % (difference.template, ours))
        elif not expected:
            wrong.append("%s: Jinja2 %s, rehome %s" % (difference.template, theirs, ours))
        if "| %s |" % difference.row not in document:
            wrong.append("%s has no row for `%s`" % (DOCUMENT.name, difference.row))
    rows = {difference.row for difference in DIFFERENCES}
    table = document.split("<!-- differences -->")[1].split("\n")
    for line in table:
        cells = [cell.strip() for cell in line.split(" | ")]
        row = cells[0].lstrip("| ")
        if line.startswith("| ") and not line.startswith("| What") and row not in rows:
            wrong.append("nothing asserts the row `%s`" % row)
    expect(not wrong, "\n".join(wrong))


def hints(command):
    """What is refused is refused with a next step."""
    asked = {
        '{{ "%s" % VIP_ADDRESS }}': "format",
        "{{ nosuch }}": "AZ_SUBNET_DEF_ROUTE, ROUTE_DESTINATION",
        "{{ VIP_ADDRESS|nosuch }}": "docs/templates.md",
        "{{ VIP_ADDRESS.nosuch() }}": "docs/templates.md",
        "a\r\n": "sed -i",
        "{% if %}": "{% raw %}",
    }
    for (template, hint), ours in zip(asked.items(), by_rehome(command, list(asked))):
        expect(ours.text is None, "%r was rendered" % template)
        expect(hint in ours.hint, "%r: the hint is %s" % (template, ours.hint))


def run(rehome, results):
    command = [str(rehome), "user-data", "render-each"]
    for name, cases, at_least in [
        ("templates by hand render as Jinja2 renders them", by_hand, 250),
        ("str methods do in templates what they do in Python", of_methods, 10000),
        ("characters are what they are in Python", of_characters, 600),
    ]:
        check(name, lambda cases=cases, at_least=at_least: compare(command, cases(), at_least), results)
    check("what differs from Jinja2 differs as the document says", lambda: differ(command), results)
    check("what a template gets wrong comes with a next step", lambda: hints(command), results)
