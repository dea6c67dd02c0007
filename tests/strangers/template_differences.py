"""What rehome is known to do otherwise than Jinja2 3.1: each row of docs/templates.md, with templates.

`rehome` is what comes out there, or `error: ` and a part of the error. A difference that has gone, or
that has changed, fails the comparison: then the row and the line here go as well.
"""

import collections

Difference = collections.namedtuple("Difference", "row template rehome")

DIFFERENCES = [
    Difference(row, template, rehome)
    for row, pairs in [
        ("An undefined name or part", [
            ("{{ nosuch }}", "error: undefined value"),
            ("{% if nosuch %}x{% endif %}", "error: undefined value"),
            ("{{ AZ.nosuch }}", "error: undefined value"),
            ("{{ {'a': 1}.b }}", "error: undefined value"),
            ("{{ 'x' ~ nosuch }}", "error: undefined value"),
            ("{% macro m(a) %}{{ a }}{% endmacro %}{{ m() }}", "error: undefined value"),
        ]),
        ('`"%s" % x`', [
            ("{{ '%s' % AZ }}", "error: tried to use % operator"),
            ("{{ '%s-%s' % (AZ, 1) }}", "error: tried to use % operator"),
        ]),
        ("CR or CR LF in the template", [
            ("a\r\nb", "error: carriage return"),
            ("a\rb", "error: carriage return"),
        ]),
        ("`random`, `shuffle`, `lipsum`", [
            ("{{ [1]|random }}", "error: unknown filter"),
            ("{{ lipsum(1, false, 1, 2)|length > 0 }}", "error: unknown function"),
        ]),
        ("`pprint`, `striptags`, `urlize`, `wordwrap`, `xmlattr`", [
            ("{{ [1]|pprint }}", "error: unknown filter"),
            ("{{ '<b>x</b>'|striptags }}", "error: unknown filter"),
            ("{{ 'x'|urlize }}", "error: unknown filter"),
            ("{{ 'a b'|wordwrap(2) }}", "error: unknown filter"),
            ("{{ {'a': 1}|xmlattr }}", "error: unknown filter"),
        ]),
        ("`is callable`", [("{{ range is callable }}", "error: unknown test")]),
        ("`{{ 1, 2 }}`", [("{{ 1, 2 }}", "error: syntax error")]),
        ("`{{ +5 }}`", [("{{ +5 }}", "error: syntax error")]),
        ("`'\\U0001f600'`", [("{{ '\\U0001f600' }}", "\\U0001f600")]),
        ("`{% raw %}` without its end", [("x{% raw %}", "error: unexpected end of raw block")]),
        ("`'a' > 1`", [("{{ 'a' > 1 }}", "True")]),
        ("`{'items': 5}.items`", [("{{ {'items': 5}.items }}", "5")]),
        ("`loop.last`, `loop.length`, `loop.revindex` over text", [
            ("{% for c in 'ab' %}{{ loop.last }}{% endfor %}", "FalseFalse"),
            ("{% for c in 'ab' %}{{ loop.length }}{% endfor %}", "error: undefined value"),
            ("{% for c in 'ab' %}{{ loop.revindex }}{% endfor %}", "error: undefined value"),
        ]),
        ("`varargs`, `kwargs` in macros", [
            ("{% macro m() %}{{ varargs }}{% endmacro %}{{ m(1) }}", "error: too many arguments"),
            ("{% macro m() %}{{ kwargs }}{% endmacro %}{{ m(x=1) }}", "error: too many arguments"),
        ]),
        ("`{% macro m(a, b=a) %}`", [
            ("{% macro m(a, b=a) %}{{ b }}{% endmacro %}{{ m(3) }}", "error: undefined value"),
        ]),
        ("`namespace({'a': 1}, b=2)`", [
            ("{% set n = namespace({'a': 1}, b=2) %}{{ n.b }}", "error: too many arguments"),
        ]),
        ("Methods that change: `append`, `update`, ...", [
            ("{% set x = [1] %}{% set _ = x.append(2) %}{{ x }}", "error: unknown method"),
            ("{% set x = {} %}{% set _ = x.update({'a': 1}) %}{{ x }}", "error: unknown method"),
        ]),
        ("Methods of numbers; `str.encode`", [
            ("{{ (2.0).is_integer() }}", "error: unknown method"),
            ("{{ (5).bit_length() }}", "error: unknown method"),
            ("{{ 'a'.encode() }}", "error: unknown method"),
        ]),
        ("A number of 1e16 or more, or below 0.0001, beside `~`", [
            ("{{ 1e16 ~ '' }}", "10000000000000000.0"),
            ("{{ 0.00001 ~ '' }}", "0.00001"),
        ]),
        ("Printing a macro, a loop, a namespace", [
            (
                "{% macro m() %}{% endmacro %}{{ m }}",
                "{'name': 'm', 'arguments': [], 'caller': False}",
            ),
            ("{% for x in [1] %}{{ loop }}{% endfor %}", "error: undefined value"),
            ("{{ namespace(a=1) }}", "{'a': 1}"),
        ]),
        ("`<safe text> + 'x'`", [("{{ ('<'|safe) + '<' }}", "<<")]),
    ]
    for template, rehome in pairs
]
