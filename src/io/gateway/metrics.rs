//! The figures over HTTP, for Prometheus: one page, few visitors at once, none for long.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

/// Visitors at once; further ones wait in the kernel.
const VISITORS: usize = 8;
/// A visitor that has not asked and read by then is sent away.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest question.
const LONGEST: usize = 4096;

/// Serves `page` at `/metrics` for ever.
///
/// # Errors
/// If the address cannot be listened on.
pub(super) async fn serve(listen: SocketAddr, page: watch::Receiver<Arc<str>>) -> anyhow::Result<()> {
    let listener = TcpListener::bind(listen).await.with_context(|| {
        format!("cannot listen on TCP {listen} for metrics; write another address, or metrics = \"\"")
    })?;
    tracing::info!(%listen, "metrics");
    let room = Arc::new(Semaphore::new(VISITORS));
    loop {
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return Ok(()) };
        match listener.accept().await {
            Ok((visitor, _)) => {
                let page = page.borrow().clone();
                tokio::spawn(async move {
                    let _ = tokio::time::timeout(PATIENCE, answer(visitor, &page)).await;
                    drop(permit);
                });
            }
            // no descriptor left, most likely: others may give theirs back
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

async fn answer(mut visitor: TcpStream, page: &str) -> std::io::Result<()> {
    let mut asked = Vec::with_capacity(512);
    while !asked.windows(4).any(|end| end == b"\r\n\r\n") {
        let mut room = [0; 512];
        let len = visitor.read(&mut room).await?;
        if len == 0 || asked.len() + len > LONGEST {
            return Ok(());
        }
        asked.extend_from_slice(&room[..len]);
    }
    let (status, body) = match asked.split(|byte| *byte == b' ').collect::<Vec<_>>().as_slice() {
        [b"GET", b"/metrics", ..] => ("200 OK", page),
        [b"GET", ..] => ("404 Not Found", "the figures are at /metrics\n"),
        _ => ("405 Method Not Allowed", "only GET is understood\n"),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n",
        body.len()
    );
    visitor.write_all(head.as_bytes()).await?;
    visitor.write_all(body.as_bytes()).await?;
    visitor.shutdown().await
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn asked(to: SocketAddr, question: &[u8]) -> String {
        let mut stream = TcpStream::connect(to).await.unwrap();
        stream.write_all(question).await.unwrap();
        let mut said = String::new();
        let _ = stream.read_to_string(&mut said).await;
        said
    }

    #[tokio::test]
    async fn one_page_is_served_and_nothing_else_and_nonsense_is_bounded() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let (_told, page) = watch::channel(Arc::from("livebox_groups 3\n"));
        let serving = tokio::spawn(serve(free, page));
        while TcpStream::connect(free).await.is_err() {
            tokio::task::yield_now().await;
        }

        let page = asked(free, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await;
        let other = asked(free, b"GET / HTTP/1.0\r\n\r\n").await;
        let post = asked(free, b"POST /metrics HTTP/1.1\r\n\r\n").await;
        let long = asked(free, &[b'x'; 5000]).await;

        assert!(page.starts_with("HTTP/1.1 200 OK\r\n") && page.ends_with("\r\n\r\nlivebox_groups 3\n"), "{page}");
        assert!(page.contains("Content-Length: 17\r\n"), "{page}");
        assert!(other.starts_with("HTTP/1.1 404") && post.starts_with("HTTP/1.1 405"), "{other}{post}");
        assert_eq!(long, "");
        serving.abort();
    }
}
