//! One client of the control socket: its request, its answer, and its command while that runs.

use std::io;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};

use super::{Answer, Event};
use crate::control::{self, Followup, Reply};
use crate::guest::KILL_ALL;

/// Takes connections until the lab ends.
pub(super) async fn accept(listener: UnixListener, events: mpsc::Sender<Event>) {
    while let Ok((stream, _peer)) = listener.accept().await {
        tokio::spawn(serve(stream, events.clone()));
    }
}

async fn serve(mut stream: UnixStream, events: mpsc::Sender<Event>) {
    let answer = match control::receive(&stream).await {
        Ok((request, streams)) => {
            let (reply, answer) = oneshot::channel();
            let asked = Event::Asked { request, streams, reply };
            if events.send(asked).await.is_err() {
                return;
            }
            match answer.await {
                Ok(answer) => answer,
                Err(_lab_ended) => return,
            }
        }
        Err(error) => Answer::Reply(Reply::Refused(format!("{error:#}"))),
    };
    let reply = match answer {
        Answer::Reply(reply) => reply,
        Answer::Running { process, ended } => follow(&mut stream, process, ended).await,
    };
    // A client that has gone wants no answer.
    drop(write(&mut stream, &reply).await);
}

async fn write(stream: &mut UnixStream, reply: &Reply) -> io::Result<()> {
    let line = control::to_line(reply).map_err(io::Error::other)?;
    stream.write_all(&line).await
}

/// Hands signals on to a command until it ends. When the client has gone, it is killed.
async fn follow(stream: &mut UnixStream, process: Pid, mut ended: oneshot::Receiver<i32>) -> Reply {
    let mut lines = BufReader::new(stream).lines();
    let code = loop {
        tokio::select! {
            // First, so that no signal goes to a process that has ended and been reaped.
            biased;
            code = &mut ended => break code,
            line = lines.next_line() => {
                let followup = line.ok().flatten().and_then(|l| serde_json::from_str(&l).ok());
                match followup {
                    Some(Followup::Signal(number)) => {
                        if let Ok(signal) = Signal::try_from(number) {
                            let _gone = kill(process, signal);
                        }
                    }
                    None => {
                        let _gone = kill(process, KILL_ALL);
                        break ended.await;
                    }
                }
            }
        }
    };
    match code {
        Ok(code) => Reply::Exited(code),
        Err(_lab_ends) => Reply::Refused("the lab has ended".into()),
    }
}
