//! The local socket of `status` and `send`: one JSON object a line, asked and answered.

mod page;

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::io::task::{Commander, Ends};
use crate::lang::{Lang, Text};
use crate::message::{Ask, Command, Origin, Refusal, Status};

/// The longest line that is read: a request is a few words.
const MAX_LINE: u64 = 4096;

/// Shells that may ask at the same time.
const MAX_CLIENTS: usize = 16;

/// A client that neither asks nor reads for so long is let go.
const PATIENCE: Duration = Duration::from_secs(10);

/// A watching eye hears at most this often: it reads no faster.
const PAGE_EVERY: Duration = Duration::from_millis(500);

/// A watching program hears as often as control tells.
const STATUS_EVERY: Duration = Duration::from_millis(100);

/// What a client asks, one JSON object a line.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "lowercase")]
pub enum Request {
    /// [`Status`] as it is.
    Status {
        /// Again with each change, until the client leaves.
        #[serde(default)]
        watch: bool,
    },
    /// Status as a page to read.
    Page {
        /// In this language.
        lang: Lang,
        /// Again with each change, until the client leaves.
        #[serde(default)]
        watch: bool,
    },
    /// A command for control.
    Send {
        /// Which.
        command: Ask,
    },
}

/// What a client is answered, one JSON object a line.
#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Reply<'s> {
    Status(&'s Status),
    Page(String),
    Accepted(Text),
    Refused {
        code: Refusal,
        #[serde(flatten)]
        text: Text,
    },
    Error(String),
}

/// Listens on `socket` until everybody ends; the folder's group may ask and command.
///
/// # Errors
/// If the socket cannot be made, or another box already listens there.
pub async fn run(
    socket: PathBuf,
    status: watch::Receiver<Arc<Status>>,
    commands: Commander,
    mut ends: Ends,
) -> anyhow::Result<()> {
    let listener = open(&socket).await.with_context(|| format!("console socket {}", socket.display()))?;
    let mut clients = JoinSet::new();
    loop {
        tokio::select! {
            client = listener.accept(), if clients.len() < MAX_CLIENTS => {
                let (stream, _) = client.context("accepting on the console socket")?;
                clients.spawn(serve(stream, status.clone(), commands.clone()));
            }
            Some(ended) = clients.join_next() => {
                if let Ok(Err(why)) = ended {
                    tracing::debug!(why = format!("{why:#}"), "console client left");
                }
            }
            () = ends.shutdown() => break,
        }
    }
    let _ = std::fs::remove_file(&socket);
    Ok(())
}

async fn open(socket: &Path) -> anyhow::Result<UnixListener> {
    if let Some(folder) = socket.parent() {
        std::fs::create_dir_all(folder)?;
    }
    if socket.exists() {
        if UnixStream::connect(socket).await.is_ok() {
            bail!("another box listens there; stop it, or give another state folder");
        }
        // left behind by a box that was killed
        std::fs::remove_file(socket)?;
    }
    let listener = UnixListener::bind(socket)?;
    std::fs::set_permissions(socket, std::fs::Permissions::from_mode(0o660))?;
    Ok(listener)
}

async fn serve(stream: UnixStream, status: watch::Receiver<Arc<Status>>, commands: Commander) -> anyhow::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut read = BufReader::new(read);
    loop {
        let mut line = Vec::new();
        let mut bounded = (&mut read).take(MAX_LINE);
        let taken = tokio::time::timeout(PATIENCE, bounded.read_until(b'\n', &mut line)).await??;
        if taken == 0 {
            return Ok(());
        }
        match serde_json::from_slice(&line) {
            Ok(Request::Send { command }) => {
                let answer = match commands.ask(Command { origin: Origin::Console, ask: command }).await {
                    Ok(()) => Reply::Accepted(Text::new("已接受", "accepted")),
                    Err(code) => Reply::Refused { code, text: code.text() },
                };
                say(&mut write, &answer).await?;
            }
            Ok(Request::Status { watch }) => {
                tell(&mut write, status.clone(), watch.then_some(STATUS_EVERY), |status| Reply::Status(status)).await?;
            }
            Ok(Request::Page { lang, watch }) => {
                tell(&mut write, status.clone(), watch.then_some(PAGE_EVERY), |status| {
                    Reply::Page(page::page(status, lang))
                })
                .await?;
            }
            Err(wrong) => {
                say(&mut write, &Reply::Error(format!("not a request: {wrong}"))).await?;
                // the rest of an endless line is not worth reading
                return Ok(());
            }
        }
    }
}

async fn tell(
    write: &mut (impl tokio::io::AsyncWrite + Unpin),
    mut status: watch::Receiver<Arc<Status>>,
    watch: Option<Duration>,
    reply: impl for<'s> Fn(&'s Status) -> Reply<'s>,
) -> anyhow::Result<()> {
    loop {
        let now = status.borrow_and_update().clone();
        say(write, &reply(&now)).await?;
        let Some(pace) = watch else { return Ok(()) };
        tokio::time::sleep(pace).await;
        status.changed().await?;
    }
}

async fn say(write: &mut (impl tokio::io::AsyncWrite + Unpin), reply: &Reply<'_>) -> anyhow::Result<()> {
    let mut line = serde_json::to_vec(reply)?;
    line.push(b'\n');
    tokio::time::timeout(PATIENCE, write.write_all(&line)).await??;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read_as_they_are_documented() {
        let read = |line: &str| serde_json::from_str::<Request>(line);

        assert!(matches!(read(r#"{"ask":"status"}"#), Ok(Request::Status { watch: false })));
        assert!(matches!(
            read(r#"{"ask":"page","lang":"zh","watch":true}"#),
            Ok(Request::Page { lang: Lang::Zh, watch: true })
        ));
        assert!(matches!(
            read(r#"{"ask":"send","command":{"verb":"layout","layout":"slides"}}"#),
            Ok(Request::Send { command: Ask::Layout { .. } })
        ));
        assert!(read(r#"{"ask":"dance"}"#).is_err());
    }
}
