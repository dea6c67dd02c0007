//! Each rule on a file that keeps it and one that breaks it.

use super::source::{Function, Source};
use super::{
    ARCHITECTURE_LINES, FILE_BYTES, FILE_LINES, FUNCTION_LINES, Offense, SDK_NAMES, UNSAFE_FILES,
    tests_of, tracked,
};

/// The offenses of a file in the product's crate that no rule exempts.
fn rust(text: &str) -> Vec<Offense> {
    check_file("crates/rehome/src/x.rs", text.as_bytes())
}

/// The offenses of a file of this name, in a repository without modules for tests only.
fn check_file(path: &str, bytes: &[u8]) -> Vec<Offense> {
    super::check_file(path, bytes, &[])
}

fn lines(offenses: &[Offense]) -> Vec<usize> {
    offenses.iter().map(|offense| offense.line).collect()
}

#[test]
fn comments_and_literals_are_not_code() {
    let text = r##"let a = "x // {\" unsafe"; // unsafe
        /* unsafe /* { */ unsafe */ let b = '{'; let c = r#"unsafe " {"#;
        let d: &'static str = br"unsafe"; let e = '\''; let f = 'ü'; let g = b'{';
        let r#type = '\u{1f600}'; fn h<'a>(x: &'a str) {}"##;
    let source = Source::new(text);
    assert_eq!(source.words("unsafe").count(), 0, "{}", source.code);
    assert_eq!(source.code.matches('{').count(), 1, "{}", source.code);
    assert_eq!(source.code.len(), text.len());
    assert_eq!(source.code.lines().count(), text.lines().count());
    for kept in ["let b", "&'static str", "r#type", "<'a>(x: &'a str)"] {
        assert!(source.code.contains(kept), "{kept}: {}", source.code);
    }
}

#[test]
fn functions_are_found_with_their_length() {
    let text = "fn a() {}\nfn b(\n    x: [u8; 3],\n) -> u8 {\n    if x == y { 1 } else { 2 }\n}\n\
                trait T { fn c(&self); }\ntype F = fn(u8);\n";
    let source = Source::new(text);
    let found = source.functions();
    assert_eq!(found[0], Function { name: "a", at: 0, lines: 1 });
    assert_eq!((found[1].name, found[1].lines), ("b", 5));
    assert_eq!(found.len(), 2);
}

#[test]
fn modules_for_tests_only_are_found_where_they_lie() {
    let text = b"#[cfg(test)]\npub(crate) mod fixtures;\n#[cfg(test)]\nmod inline { fn f() {} }\n";
    assert_eq!(tests_of("crates/x/src/wire/mod.rs", text), ["crates/x/src/wire/fixtures"]);
    assert_eq!(tests_of("crates/x/src/lib.rs", text), ["crates/x/src/fixtures"]);
}

#[test]
fn words_are_whole_names() {
    let source = Source::new("mystd::x; std::y; unsafe_code; unsafe { };");
    assert_eq!(source.words("std::").count(), 1);
    assert_eq!(source.words("unsafe").count(), 1);
}

#[test]
fn lines_end_at_a_hundred_columns_in_characters() {
    let fits = format!("// {}\n", "ü".repeat(97));
    assert_eq!(rust(&fits), []);
    assert_eq!(lines(&rust(&format!("{fits}// {}\n", "x".repeat(98)))), [2]);
    assert_eq!(rust(&format!("// https://{}\n", "x".repeat(120))), []);
    assert_eq!(lines(&rust(&format!("let a = \"https://{}\";\n", "x".repeat(120)))), [1]);
}

#[test]
fn long_functions_are_refused_outside_tests() {
    let body = "    step();\n".repeat(FUNCTION_LINES - 2);
    let fits = format!("fn a() {{\n{body}}}\n");
    assert_eq!(rust(&fits), []);
    let long = format!("fn a() {{\n{body}    step();\n}}\n");
    assert_eq!(lines(&rust(&format!("{fits}{long}"))), [FUNCTION_LINES + 1]);
    assert_eq!(rust(&format!("#[cfg(test)]\nmod tests {{\n{long}}}\n")), []);
    let tests = tests_of("crates/rehome/src/x.rs", b"mod y;\n#[cfg(test)]\nmod tests;\n");
    assert_eq!(tests, ["crates/rehome/src/x/tests"]);
    let in_module = |path: &str| super::check_file(path, long.as_bytes(), &tests);
    assert_eq!(in_module("crates/rehome/src/x/tests.rs"), []);
    assert_eq!(in_module("crates/rehome/src/x/tests/more.rs"), []);
    assert_eq!(in_module("crates/rehome/src/x/y.rs").len(), 1);
    assert_eq!(check_file("crates/rehome/tests/lab/demo.rs", long.as_bytes()), []);
}

#[test]
fn what_is_put_off_names_its_issue() {
    let word = concat!("TO", "DO");
    assert_eq!(rust(&format!("// {word}(#12): later\n")), []);
    assert_eq!(lines(&rust(&format!("// {word}: later\n// {word}(me)\n"))), [1, 2]);
    assert_eq!(lines(&check_file("a.py", format!("# {word}\n").as_bytes())), [1]);
}

#[test]
fn the_core_knows_no_std_outside_its_tests() {
    let core = |text: &str| check_file("crates/rehome-core/src/x.rs", text.as_bytes());
    assert_eq!(lines(&core("use std::time::Instant;\nextern crate std;\n")), [1, 2]);
    assert_eq!(core("//! No `std::` here.\nuse alloc::vec::Vec;\nuse core::fmt;\n"), []);
    assert_eq!(core("#[cfg(test)]\nmod tests {\n    use std::fs;\n}\n"), []);
    assert_eq!(rust("use std::fs;\n"), []);
}

#[test]
fn the_sdk_is_named_in_its_folder_only() {
    for name in SDK_NAMES {
        let line = format!("use {name}x::Client;\n");
        assert_eq!(lines(&rust(&line)), [1], "{name}");
        assert_eq!(check_file("crates/rehome/src/aws/ec2.rs", line.as_bytes()), []);
        assert_eq!(lines(&check_file("crates/rehome/tests/lab/main.rs", line.as_bytes())), [1, 1]);
    }
    assert_eq!(rust("// aws_sdk_ec2 does this\n"), []);
}

#[test]
fn unsafe_code_has_its_files() {
    let text = "fn f() { unsafe { g() } }\n";
    assert_eq!(lines(&rust(text)), [1]);
    assert_eq!(check_file(UNSAFE_FILES[0], text.as_bytes()), []);
    assert_eq!(rust("#![forbid(unsafe_code)]\n"), []);
}

#[test]
fn lints_are_expected_not_allowed() {
    assert_eq!(lines(&rust("#[allow(dead_code)]\nfn f() {}\n")), [1]);
    assert_eq!(rust("#[expect(dead_code, reason = \"x\")]\nfn f() {}\n"), []);
}

#[test]
fn unwraps_belong_to_tests() {
    assert_eq!(lines(&rust("fn f() {\n    g().unwrap();\n}\n")), [2]);
    assert_eq!(rust("#[test]\nfn f() {\n    g().unwrap();\n}\n"), []);
    assert_eq!(rust("fn f() { g().unwrap_or(1); }\n"), []);
}

#[test]
fn long_files_are_refused() {
    let text = "use a::b;\n".repeat(FILE_LINES);
    assert_eq!(rust(&text), []);
    assert_eq!(lines(&rust(&format!("{text}use a::b;\n"))), [FILE_LINES + 1]);
    let pages = "x\n".repeat(ARCHITECTURE_LINES + 1);
    assert_eq!(check_file("ARCHITECTURE.md", pages.as_bytes()).len(), 1);
    assert_eq!(check_file("README.md", pages.as_bytes()), []);
    assert_eq!(check_file("picture.png", &vec![0xff; FILE_BYTES + 1]).len(), 1);
}

#[test]
fn every_crate_says_what_it_is() {
    for root in ["crates/x/src/lib.rs", "crates/x/src/main.rs", "crates/x/tests/lab/main.rs"] {
        assert_eq!(lines(&check_file(root, b"mod a;\n")), [1], "{root}");
        assert_eq!(check_file(root, b"//! What it is.\nmod a;\n"), [], "{root}");
    }
    assert_eq!(check_file("crates/x/src/a.rs", b"mod a;\n"), []);
}

#[test]
fn scripts_stop_at_the_first_error() {
    let script = |text: &str| check_file("a/b.sh", text.as_bytes());
    assert_eq!(script("#!/bin/bash\n# What it does.\n\nset -euo pipefail\ntrue\n"), []);
    assert_eq!(script("#!/bin/sh\n{#-\n  A template.\n#}\n#\nset -eu\ntrue\n"), []);
    assert_eq!(lines(&script("#!/bin/sh\n{# A template. #}\ntrue\n")), [3]);
    assert_eq!(lines(&script("#!/bin/bash\ntrue\nset -eu\n")), [2]);
    assert_eq!(lines(&check_file("x", b"#!/usr/bin/env bash\ntrue\n")), [2]);
    assert_eq!(check_file("x", b"#!/usr/bin/env python3\nx = 1\n"), []);
}

#[test]
fn this_repository_is_read_through_git() {
    assert!(tracked().unwrap().iter().any(|path| path == "xtask/src/tidy.rs"));
}
