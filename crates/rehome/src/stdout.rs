//! Data on stdout, which may be full or gone.

use std::io::{self, Write as _};

use crate::fail::{FAILED, Failure, Problem};

/// Writes it, to the last byte. Whoever reads may have seen enough; that is no failure.
///
/// # Errors
/// Where it can't be written.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            let what = format!("stdout can't be written to: {error}");
            Err(Failure::new(FAILED, Problem { what, hint: None }))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// The same, and a line end.
///
/// # Errors
/// As [`print()`].
pub(crate) fn print_line(text: &str) -> Result<(), Failure> {
    print(&format!("{text}\n"))
}
