//! Tables: what stands in a template, and what comes out. The comparison with the real Jinja2 (in
//! the strangers' stage) has thousands more; these say what matters most.

use super::*;

fn vars() -> Vars {
    Vars::sample("10.0.0.10/32", "10.0.0.10/32".parse().unwrap())
}

fn rendered(source: &str) -> Result<String, TemplateError> {
    let source = format!("#!\n{source}");
    let text = Template::parse("t.sh", source.into_bytes())?.render(&vars())?;
    Ok(text.strip_prefix("#!\n").expect("the first line stays").to_owned())
}

fn check(cases: &[(&str, &str)]) {
    for (source, text) in cases {
        match rendered(source) {
            Ok(seen) => assert_eq!(seen, *text, "{source}"),
            Err(error) => panic!("{source}: {error}"),
        }
    }
}

fn refused(cases: &[(&str, &str)]) {
    for (source, why) in cases {
        let error = rendered(source).expect_err(source).to_string();
        assert!(error.contains(why), "{source}: {error}");
    }
}

#[test]
fn every_variable_is_told() {
    let all: Vec<String> = VARIABLES.iter().map(|(name, _)| format!("{{{{ {name} }}}}")).collect();
    let text = "172.31.48.1 10.0.0.10/32 10.0.0.10 32 us-east-1a subnet-00000000000000000 \
                172.31.48.0/20 vpc-00000000000000000 us-east-1";
    check(&[(&all.join(" "), text), ("{{ VIP_PREFIX + 1 }}", "33")]);
}

#[test]
fn text_is_searched_split_and_padded_as_in_python() {
    check(&[
        ("{{ SUBNET_CIDR.rsplit('.', 1) }}", "['172.31.48', '0/20']"),
        ("{{ SUBNET_CIDR.partition('/') }}", "('172.31.48.0', '/', '20')"),
        ("{{ ' a  b c '.split(none, 1) }}", "['a', 'b c ']"),
        ("{{ ' a  b c '.rsplit(maxsplit=1) }}", "[' a  b', 'c']"),
        ("{{ '-7'.zfill(4) }}|{{ 'x'.center(4, '*') }}|{{ 'é'.ljust(3) }}|", "-007|*x**|é  |"),
        ("{{ 'aXbX'.find('X', -2) }} {{ 'aXbX'.count('X', 2) }} {{ 'a'.find('', 2) }}", "3 1 -1"),
        ("{{ 'a\\tb'.expandtabs(4) }} {{ 'x.y'.removesuffix('.y') }}", "a   b x"),
        ("{{ 'a\\r\\nb\\x0bc'.splitlines() }}", "['a', 'b', 'c']"),
        ("{{ AZ.startswith(('eu', 'us')) }} {{ AZ.endswith('a', -1) }}", "True True"),
        ("{{ 'abc'.translate({97: 'x', 98: none}) }}", "xc"),
    ]);
    refused(&[
        ("{{ 'a'.split('') }}", "empty separator"),
        ("{{ 'a'.zfill('4') }}", "zfill(): argument 1 has to be a whole number, not string"),
        ("{{ 'a'.center(2.0) }}", "center(): argument 1"),
        ("{{ 'a'.center(2, 'xy') }}", "exactly one character"),
        ("{{ 'a'.index('b') }}", "substring not found"),
        ("{{ 'a'.upper(1) }}", "upper() takes at most 0 arguments, not 1"),
        ("{{ 'a'.strip(chars='a') }}", "strip() takes no argument chars="),
        ("{{ 'a'.ljust(99999999) }}", "too long"),
        ("{{ 'a'.encode() }}", "unknown method"),
    ]);
}

#[test]
fn characters_are_judged_as_in_python() {
    check(&[
        ("{{ '²'.isdigit() }}{{ '²'.isdecimal() }}{{ '½'.isnumeric() }}", "TrueFalseTrue"),
        ("{{ '五'.isnumeric() }}{{ 'Ⅷ'.isalpha() }}{{ '\\x1c'.isspace() }}", "TrueFalseTrue"),
        (
            "{{ 'straße'.casefold() }} {{ 'ﬁx ǆ'.title() }} {{ 'ΑΣ'.capitalize() }}",
            "strasse Fix ǅ Ας",
        ),
        ("{{ ['\\u200b', 'é', \"it's\"] }}", "['\\u200b', 'é', \"it's\"]"),
    ]);
}

#[test]
fn values_print_as_in_python() {
    check(&[
        (
            "{{ 1e16 }} {{ 1e-5 }} {{ 1e15 }} {{ 10 / 4 }} {{ -0.0 }}",
            "1e+16 1e-05 1000000000000000.0 2.5 -0.0",
        ),
        (
            "{{ [1.0, none, true, (1,), {'b': 1, 'a': 2}] }}",
            "[1.0, None, True, (1,), {'b': 1, 'a': 2}]",
        ),
        ("{{ range(3) }} {{ {'a': 1}.keys() }}", "range(0, 3) dict_keys(['a'])"),
        ("{{ '%-4s|%03d|%r'|format('x', 7, 'y') }}", "x   |007|'y'"),
        ("{{ '{:>4}{:,}{!r:^5}'.format('é', 1234, 'x') }}", "   é1,234 'x' "),
        ("{{ {'b': 'é<', 'a': [1]}|tojson }}", "{\"a\": [1], \"b\": \"\\u00e9\\u003c\"}"),
        ("{{ '<'|e }}{{ 'a b/c'|urlencode }} {{ 'a\\nb'|indent(2) }}", "&lt;a%20b/c a\n  b"),
        ("{{ 'x'|int(5) }} {{ '0x1f'|int(0, 16) }} {{ '1_0'|int }} {{ 'x'|float }}", "5 31 10 0.0"),
    ]);
    refused(&[
        ("{{ '%s'|format() }}", "not enough values"),
        ("{{ 'x'|format(1) }}", "more values than the format has places for"),
        ("{{ '{x}'.format(1) }}", "there is no value for {x}"),
        ("{{ '{} {0}'.format(1) }}", "either all fields are numbered, or none"),
    ]);
}

#[test]
fn percent_is_refused_with_the_filter_to_use() {
    for source in ["{{ '%s' % AZ }}", "{{ '%d' % 5 }}", "{{ '%s %s' % (1, 2) }}"] {
        let error = rendered(source).expect_err(source);
        assert!(error.hint().contains("{{ \"%s\"|format(x) }}"), "{error}: {}", error.hint());
    }
}

#[test]
fn what_never_ends_is_ended() {
    let loops = "{% for i in range(9999) %}{% for i in range(9999) %}{% endfor %}{% endfor %}";
    refused(&[
        (loops, "out of fuel"),
        ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "recursion"),
        ("{{ range(100001) }}", "range() has at most"),
    ]);
}

#[test]
fn before_aws_is_asked_only_what_is_certain_counts() {
    let early = |source: &str| {
        let template = Template::parse("t.sh", format!("#!\n{source}").into_bytes()).unwrap();
        template.check_early(&vars())
    };
    early("{{ {'eu-west-1a': 'x'}[AZ] }}").expect("nobody knows the zone yet");
    early("{{ 'x' * (1 if REGION == 'eu-west-1' else 20000) }}").expect("nor the region");
    early("{{ AZ }} {{ nosuch }}").expect_err("a name is unknown everywhere");
    early("{{ {'a': 1}['b'] }}").expect_err("that fails everywhere");
}

fn whole(source: &str) -> Result<String, TemplateError> {
    Template::parse("t.sh", source.as_bytes().to_vec())?.render(&vars())
}

fn whole_refused(source: &str) -> (String, String) {
    let error = whole(source).expect_err(source);
    (error.to_string(), error.hint())
}

#[test]
fn the_missions_variables_are_filled_in_and_nothing_is_escaped() {
    let text = "#!/bin/bash\nip route add default via {{AZ_SUBNET_DEF_ROUTE}} # <&\">\n\
                VIP={{ ROUTE_DESTINATION.split('/')[0] }}\n";
    assert_eq!(
        whole(text).unwrap(),
        "#!/bin/bash\nip route add default via 172.31.48.1 # <&\">\nVIP=10.0.0.10",
        "one newline at the end goes, as in Jinja2"
    );
}

#[test]
fn what_the_file_is_called_changes_nothing() {
    for name in ["t.html", "t.json", "t.yaml", "t"] {
        let source = b"#!\n{{ '<' ~ ROUTE_DESTINATION ~ '\"' }}".to_vec();
        let text = Template::parse(name, source).unwrap().render(&vars()).unwrap();
        assert_eq!(text, "#!\n<10.0.0.10/32\"");
    }
}

#[test]
fn a_name_that_is_not_there_is_an_error_with_its_line() {
    let (error, hint) = whole_refused("#!/bin/bash\n\nip addr add {{ ROUTE_DESTINATON }}\n");
    assert_eq!(error, "t.sh:3: undefined value: `ROUTE_DESTINATON`");
    assert!(hint.contains("AZ_SUBNET_DEF_ROUTE, ROUTE_DESTINATION, VIP_ADDRESS"), "{hint}");
}

#[test]
fn what_jinja_cannot_parse_is_an_error_with_its_line() {
    let (error, hint) = whole_refused("#!/bin/bash\necho ${#array[@]}\n");
    assert!(error.starts_with("t.sh:"), "{error}");
    assert!(hint.contains("{% raw %}"), "{hint}");
    let (error, _) = whole_refused("#!/bin/bash\n{% if %}\n");
    assert!(error.starts_with("t.sh:2: syntax error"), "{error}");
}

#[test]
fn other_files_the_time_and_chance_are_out_of_reach() {
    for text in ["{% include '/etc/passwd' %}", "{{ now() }}", "{{ [1, 2]|random }}"] {
        whole(&format!("#!/bin/bash\n{text}\n")).expect_err(text);
    }
}

#[test]
fn sixteen_kibibytes_are_taken_and_not_one_byte_more() {
    let fill = |length: usize| "#!".to_owned() + &"x".repeat(length - 2);
    assert_eq!(whole(&fill(16_384)).unwrap().len(), USER_DATA_BYTES_MAX);
    let (error, _) = whole_refused(&fill(16_385));
    assert!(error.contains("more than 16384 bytes"), "{error}");
    let (error, _) = whole_refused("#!\nx\n{{ 'y' * 16384 }}");
    assert!(error.contains("line 3 of the rendered text is beyond that: `yyy"), "{error}");
    // However the text arrives, in one piece here, the line is where the first byte is too much.
    let (error, _) = whole_refused(&format!("#!/bin/bash\n{}", "# x\n".repeat(5_000)));
    assert!(error.contains("line 4095 of the rendered text is beyond that: `# x`"), "{error}");
    let (error, _) = whole_refused("");
    assert!(error.contains("it is empty"), "{error}");
    whole_refused(
        "#!{% for i in range(99999) %}{% for i in range(99999) %}x{% endfor %}{% endfor %}",
    );
}

#[test]
fn only_what_cloud_init_runs_is_accepted() {
    for header in HEADERS {
        whole(&format!("{header}\nx")).expect(header);
    }
    whole("Content-Type: multipart/mixed\nMIME-Version: 1.0\n\n").expect("cloud-init takes mails");
    let (error, hint) = whole_refused("Content-Type: text/x-shellscript\n\nx");
    assert!(error.contains("begins with `Content-Type") && hint.contains("MIME-Version"), "{hint}");
    let (error, _) = whole_refused("echo hello\n");
    assert!(error.contains("begins with `echo hello`"), "{error}");
    let (_, hint) = whole_refused("\n#!/bin/bash\n");
    assert!(hint.contains("no blank line"), "{hint}");
    let (_, hint) = whole_refused("{# what this is #}\n#!/bin/bash\n");
    assert!(hint.contains("{#- ... -#}"), "{hint}");
    whole("{#- what this is -#}\n#!/bin/bash\n").expect("no blank line is left");
    whole_refused("");
}

#[test]
fn windows_line_ends_byte_order_marks_and_bytes_that_are_no_text_are_whole_refused() {
    let (error, hint) = whole_refused("#!/bin/bash\necho\r\n");
    assert_eq!(error, "t.sh:2: the line has a carriage return (CR LF, as on Windows): `echo\\r`");
    assert!(hint.contains("sed"));
    assert!(whole_refused("\u{feff}#!/bin/bash\n").0.contains("byte order mark"));
    let error = Template::parse("t.sh", vec![b'#', b'!', 0xff]).unwrap_err();
    assert_eq!(error.to_string(), "t.sh is not UTF-8 text");
}

#[test]
fn our_own_example_takes_both_spellings_of_the_vip_and_is_a_shell_script() {
    let source = include_bytes!("../../../../examples/userdata_template.sh");
    let template = Template::parse("userdata_template.sh", source.to_vec()).unwrap();
    let of = |destination: &str| {
        let route_destination = destination.to_owned();
        template.render(&Vars { route_destination, ..vars() }).unwrap()
    };
    let script = of("10.0.0.10/32");
    assert_eq!(script, of("10.0.0.10"));
    assert!(script.starts_with("#!/bin/sh\n#\n"), "no comment of Jinja2's is left");
    for line in ["VIP='10.0.0.10'", "ROUTER='172.31.48.1'"] {
        assert!(script.lines().any(|of_script| of_script == line), "{line}");
    }
    let checked = std::process::Command::new("sh").args(["-n", "-c", &script]).status();
    assert!(checked.unwrap().success());
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = Template::load(Path::new("/nonexistent/t.sh")).unwrap_err();
    assert_eq!(error.to_string(), "the template /nonexistent/t.sh can't be read");
}
