//! `rehome-sim scenario`: lists the scenarios, or plays one and prints how it went.

use std::process::ExitCode;

use rehome_sim::scenario::{TABLE, run};

/// What the command line asks for.
struct Options {
    name: Option<String>,
    seed: u64,
    trace: usize,
}

impl Options {
    fn parse(words: &[String]) -> Result<Options, String> {
        let mut options = Options { name: None, seed: 1, trace: 400 };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut number = || {
                let value = words.next().ok_or_else(|| format!("{word} needs a number"))?;
                value.parse::<u64>().map_err(|_| format!("{word}: {value} is not a number"))
            };
            match word.as_str() {
                "--seed" => options.seed = number()?,
                "--trace" => options.trace = usize::try_from(number()?).unwrap_or(usize::MAX),
                name if !name.starts_with('-') && options.name.is_none() => {
                    options.name = Some(name.to_owned());
                }
                _ => return Err(format!("unknown word: {word}")),
            }
        }
        Ok(options)
    }
}

/// `scenario [NAME] [--seed N] [--trace LINES]`.
pub(crate) fn perform(words: &[String]) -> ExitCode {
    let options = match Options::parse(words) {
        Ok(options) => options,
        Err(error) => return refuse(&error),
    };
    let Some(name) = options.name else {
        list();
        return ExitCode::SUCCESS;
    };
    // A panic is told with the trace.
    std::panic::set_hook(Box::new(|_| {}));
    let Some(played) = run(&name, options.seed, options.trace) else {
        return refuse(&format!("no scenario is called {name}"));
    };
    println!("{played}");
    if played.wrong.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn refuse(error: &str) -> ExitCode {
    eprintln!("error: {error}\n\nusage: rehome-sim scenario [NAME] [--seed N] [--trace LINES]");
    ExitCode::from(2)
}

fn list() {
    for scenario in TABLE {
        let threads: Vec<String> = scenario.threads.iter().map(u8::to_string).collect();
        println!("{:<64} {}", scenario.name, threads.join(", "));
        println!("    {}", scenario.hurt);
    }
}
