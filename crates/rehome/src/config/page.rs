//! The reference page of the file, `rehome.toml(5)`: made from the flags' own definitions.

use clap_mangen::roff::{Roff, bold, roman};

use super::keys::keys;

/// A file that is accepted as it stands; a test reads it.
pub(super) const EXAMPLE: &str = include_str!("../../../../examples/rehome.toml");

/// The page.
pub(crate) fn page() -> String {
    let mut roff = Roff::new();
    roff.control("TH", ["rehome.toml", "5", "", "rehome", ""]);
    roff.control("SH", ["NAME"]);
    roff.text([roman("rehome.toml - the addresses that rehome keeps alive")]);
    roff.control("SH", ["SYNOPSIS"]);
    roff.text([bold("rehome run --config "), roman("FILE")]);
    roff.control("br", []);
    roff.text([bold("rehome check-config "), roman("FILE")]);
    roff.control("SH", ["DESCRIPTION"]);
    roff.text([roman(
        "A TOML file. Each [[vip]] is an address; a key is a flag of rehome run with underscores \
         for its hyphens, and takes what the flag takes. What stands in [defaults] holds for \
         every address that doesn't say otherwise. Keys of the process stand at the top of the \
         file. Unknown keys are refused. Durations have a unit. Paths may be relative to the \
         file's folder.",
    )]);
    roff.control("SH", ["EXAMPLE"]);
    roff.control("nf", []);
    for line in EXAMPLE.lines() {
        roff.text([roman(line)]);
    }
    roff.control("fi", []);
    roff.control("SH", ["KEYS"]);
    for key in keys() {
        roff.control("TP", []);
        roff.text([bold(&key.name), roman(format!(" - {}, {}", key.accepts(), key.place()))]);
        let needed = if key.is_required() { " Required." } else { "" };
        roff.text([roman(format!("{}.{needed}", key.help()))]);
    }
    roff.control("SH", ["SEE ALSO"]);
    roff.text([bold("rehome-run"), roman("(1), "), bold("rehome-check-config"), roman("(1)")]);
    roff.to_roff()
}
