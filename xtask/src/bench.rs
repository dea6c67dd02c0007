//! `cargo xtask bench`: figures that the documents quote, measured anew.
//!
//! One bench so far: [`outage`], beside the failover step by step or, again and again, to a hot
//! standby. Each is a name, what it measures, and a function that takes the
//! words behind its name, so that the list in an error is the list that there is.

mod client;
mod hot;
mod outage;
mod picture;
mod story;

use anyhow::{Result, bail};

/// A measurement by its name.
struct Bench {
    name: &'static str,
    /// Reads the bench's own options, before anything is built or started.
    parse: fn(&[&str]) -> Result<outage::Options>,
    run: fn(&outage::Options) -> Result<bool>,
}

const BENCHES: [Bench; 1] =
    [Bench { name: "outage", parse: outage::Options::parse, run: outage::run }];

/// A bench that was asked for, with its options.
pub(crate) struct Asked {
    bench: &'static Bench,
    options: outage::Options,
}

/// Parses what follows `bench`.
///
/// # Errors
///
/// Names the bench or option that isn't known, and lists those that are.
pub(crate) fn parse(words: &[&str]) -> Result<Asked> {
    let names = || BENCHES.iter().map(|bench| bench.name).collect::<Vec<_>>().join(", ");
    let Some((name, options)) = words.split_first() else {
        bail!("which bench? there are: {}", names());
    };
    let Some(bench) = BENCHES.iter().find(|bench| bench.name == *name) else {
        bail!("unknown bench: {name}; there are: {}", names());
    };
    Ok(Asked { bench, options: (bench.parse)(options)? })
}

/// Runs it; false when what it measured misses its aim.
///
/// # Errors
///
/// When it could not measure.
pub(crate) fn run(asked: &Asked) -> Result<bool> {
    (asked.bench.run)(&asked.options)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_bench_is_refused_with_the_list_of_those_there_are() {
        for words in [&[][..], &["outrage"], &["--json"]] {
            let error = parse(words).err().unwrap().to_string();
            assert!(error.ends_with("there are: outage"), "{words:?}: {error}");
        }
        assert_eq!(parse(&["outage"]).unwrap().bench.name, "outage");
    }

    #[test]
    fn an_option_of_a_bench_that_is_not_known_is_refused_before_anything_runs() {
        assert!(parse(&["outage", "--json"]).is_ok());
        let error = parse(&["outage", "--jason"]).err().unwrap().to_string();
        assert!(error.contains("--jason"), "{error}");
    }
}
