//! The rumqttc session: the only file that knows the client library.
//!
//! Each connection is a client of its own, so that nothing stale waits inside the library; the
//! pauses between connections are ours. `mqtt::Mqtt` decides what is said.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{LastWill, LastWillProperties, Packet, Publish, PublishProperties};
use rumqttc::v5::{AsyncClient, ConnectionError, Event, EventLoop, MqttOptions};
use rumqttc::{TlsConfiguration, Transport};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use tokio::sync::{mpsc, watch};

use crate::io::clock;
use crate::io::task::{Commander, Ends, reason};
use crate::lang::{Text, said};
use crate::message::{Refusal, Status, What};
use crate::mqtt::{Backoff, Config, Identity, Incoming, MAX_PAYLOAD, Mqtt, Publication, Ticket, Tls, Topics};
use crate::rng::Rng;

/// The largest packet we take: a command with its topic and properties, twice over.
const MAX_PACKET: u32 = 4 * MAX_PAYLOAD as u32;

/// Messages that the client library holds: few, since what waits in our own outbox stays the latest.
const IN_CLIENT: usize = 8;

/// The broker has so long to let us in, TCP and TLS included.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// The goodbye has so long to reach the broker; after that the will speaks.
const GOODBYE_WITHIN: Duration = Duration::from_secs(2);

/// Speaks with the broker until everybody ends; an absent broker is tried again for ever.
///
/// # Errors
/// If the device's name cannot stand in a topic, or the system gives no random numbers.
pub async fn run(
    config: Arc<Config>,
    mut status: watch::Receiver<Arc<Status>>,
    commands: Commander,
    mut ends: Ends,
) -> anyhow::Result<()> {
    let device = status.borrow().device.clone();
    let topics = Topics::new(&device).with_context(|| {
        format!("device \"{device}\" cannot stand in an MQTT topic; use 1 to 64 bytes without / + #")
    })?;
    let identity = Identity { boot: boot_id(), firmware: env!("CARGO_PKG_VERSION").to_owned() };
    let mut face = Mqtt::new(topics, identity, config.pace);
    face.handle_status(clock::now(), status.borrow_and_update().clone());
    let mut backoff = Backoff::new(Rng::from_seed(seed().context("reading /dev/urandom")?));
    if config.is_open() {
        tracing::warn!(host = config.host, "the broker is reached without TLS: whoever listens can read and command");
    }

    let mut known_lost = false;
    loop {
        let why = match connect(&config, &face, &device).await {
            Ok((client, events)) => {
                let mut session = Session { client, ends: &mut ends, commands: &commands, status: &mut status };
                match session.run(&mut face, events, &mut backoff, &mut known_lost).await {
                    End::Shutdown => return Ok(()),
                    End::Lost(why) => why,
                }
            }
            Err(why) => reason(&why),
        };
        face.handle_lost();
        if !known_lost {
            tracing::warn!(host = config.host, port = config.port, %why, "broker lost");
            ends.state(What::BrokerLost { why }).await;
            known_lost = true;
        }
        tokio::select! {
            () = tokio::time::sleep(backoff.pause()) => {}
            () = ends.shutdown() => return Ok(()),
        }
        face.handle_status(clock::now(), status.borrow_and_update().clone());
    }
}

/// How a connection ended.
enum End {
    Shutdown,
    Lost(Text),
}

/// One connection to the broker.
struct Session<'r> {
    client: AsyncClient,
    ends: &'r mut Ends,
    commands: &'r Commander,
    status: &'r mut watch::Receiver<Arc<Status>>,
}

type Asking = Pin<Box<dyn Future<Output = (Ticket, Result<(), Refusal>)> + Send>>;

impl Session<'_> {
    async fn run(&mut self, face: &mut Mqtt, events: EventLoop, backoff: &mut Backoff, known_lost: &mut bool) -> End {
        // the library's loop is never dropped half-way: it hands its events over and runs on
        let (tx, mut rx) = mpsc::channel(IN_CLIENT);
        let polling = poll(events, tx);
        tokio::pin!(polling);
        let mut asking: Option<Asking> = None;
        loop {
            self.drain(face);
            if asking.is_none()
                && let Some((ticket, command)) = face.poll_command()
            {
                tracing::info!(?command, "command from afar");
                let commands = self.commands.clone();
                asking = Some(Box::pin(async move { (ticket, commands.ask(command).await) }));
            }
            let wake = face.next_timeout();
            tokio::select! {
                why = &mut polling => return End::Lost(why),
                Some(event) = rx.recv() => match event {
                    Event::Incoming(Packet::ConnAck(_)) => {
                        tracing::info!("broker connected");
                        backoff.reset();
                        *known_lost = false;
                        self.ends.state(What::BrokerConnected).await;
                        if self.client.try_subscribe(face.subscription(), QoS::AtLeastOnce).is_err() {
                            return End::Lost(said::not_subscribed());
                        }
                        face.handle_connected(clock::now());
                    }
                    Event::Incoming(Packet::Publish(publish)) => hand_over(face, &publish),
                    Event::Incoming(_) | Event::Outgoing(_) => {}
                },
                (ticket, answer) = answered(&mut asking) => {
                    asking = None;
                    face.handle_answer(clock::now(), ticket, answer);
                }
                Ok(()) = self.status.changed() => {
                    let status = self.status.borrow_and_update().clone();
                    face.handle_status(clock::now(), status);
                }
                () = async { match wake {
                    Some(at) => tokio::time::sleep_until(clock::tokio_at(at)).await,
                    None => std::future::pending().await,
                }} => face.handle_timeout(clock::now()),
                () = self.ends.shutdown() => {
                    face.handle_shutdown();
                    let goodbye = self.goodbye(face, &mut rx);
                    tokio::select! {
                        _ = &mut polling => {}
                        _ = tokio::time::timeout(GOODBYE_WITHIN, goodbye) => {}
                    }
                    return End::Shutdown;
                }
            }
        }
    }

    /// Gives the client what it takes now.
    fn drain(&self, face: &mut Mqtt) {
        while let Some(next) = face.peek_publication() {
            let qos = if next.acknowledged { QoS::AtLeastOnce } else { QoS::AtMostOnce };
            let given = self.client.try_publish_with_properties(
                next.topic.clone(),
                qos,
                next.retain,
                next.payload.clone(),
                properties(next),
            );
            if given.is_err() {
                return;
            }
            face.published();
        }
    }

    /// Waits until the broker has the last word, then leaves in order.
    async fn goodbye(&self, face: &mut Mqtt, rx: &mut mpsc::Receiver<Event>) {
        let mut leaving = false;
        loop {
            self.drain(face);
            if !leaving && face.peek_publication().is_none() {
                // the library sends in order: the goodbye goes first
                leaving = self.client.try_disconnect().is_ok();
            }
            // until the broker hangs up: closing with its answers unread would reset the connection,
            // and the broker might never read the goodbye
            if rx.recv().await.is_none() {
                return;
            }
        }
    }
}

async fn poll(mut events: EventLoop, tx: mpsc::Sender<Event>) -> Text {
    loop {
        match events.poll().await {
            Ok(event) => {
                if tx.send(event).await.is_err() {
                    return said::stopped();
                }
            }
            Err(ConnectionError::ConnectionRefused(code)) => {
                return said::refused(format!("{code:?}"));
            }
            Err(error) => return Text::raw(error.to_string()),
        }
    }
}

async fn answered(asking: &mut Option<Asking>) -> (Ticket, Result<(), Refusal>) {
    match asking {
        Some(asking) => asking.await,
        None => std::future::pending().await,
    }
}

fn hand_over(face: &mut Mqtt, publish: &Publish) {
    let Ok(topic) = std::str::from_utf8(&publish.topic) else { return };
    let properties = publish.properties.as_ref();
    face.handle_message(Incoming {
        topic,
        payload: &publish.payload,
        retained: publish.retain,
        response_topic: properties.and_then(|p| p.response_topic.as_deref()),
        correlation: properties.and_then(|p| p.correlation_data.as_deref()),
    });
}

fn properties(publication: &Publication) -> PublishProperties {
    PublishProperties {
        payload_format_indicator: Some(1),
        content_type: Some("application/json".to_owned()),
        message_expiry_interval: publication.expiry.map(|expiry| expiry.as_secs().try_into().unwrap_or(u32::MAX)),
        correlation_data: publication.correlation.clone().map(Into::into),
        ..PublishProperties::default()
    }
}

async fn connect(config: &Config, face: &Mqtt, device: &str) -> anyhow::Result<(AsyncClient, EventLoop)> {
    let mut options = MqttOptions::new(format!("livebox-{device}"), &config.host, config.port);
    let will_delay = u32::try_from(config.will_delay.as_secs()).unwrap_or(u32::MAX);
    options.set_keep_alive(config.keep_alive);
    options.set_connection_timeout(CONNECT_WITHIN.as_secs());
    options.set_max_packet_size(Some(MAX_PACKET));
    options.set_topic_alias_max(Some(0));
    // the broker keeps the session just as long as the will waits: a fresh start would set the will off
    options.set_clean_start(false);
    options.set_session_expiry_interval(Some(will_delay));
    let will = face.will();
    options.set_last_will(LastWill::new(
        will.topic,
        will.payload,
        QoS::AtLeastOnce,
        will.retain,
        Some(LastWillProperties {
            delay_interval: Some(will_delay),
            payload_format_indicator: Some(1),
            message_expiry_interval: None,
            content_type: Some("application/json".to_owned()),
            response_topic: None,
            correlation_data: None,
            user_properties: Vec::new(),
        }),
    ));
    if let Some(login) = &config.login {
        let file = resolved(&login.password_file)?;
        let text = tokio::fs::read_to_string(&file).await.with_context(|| {
            format!("password_file {}: give the broker's password on its first line", file.display())
        })?;
        options.set_credentials(&login.user, text.lines().next().unwrap_or_default());
    }
    if let Some(tls) = &config.tls {
        let tls = tls.clone();
        let config = tokio::task::spawn_blocking(move || tls_config(&tls)).await??;
        options.set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(Arc::new(config))));
    }
    Ok(AsyncClient::new(options, IN_CLIENT))
}

fn tls_config(tls: &Tls) -> anyhow::Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for authority in certificates(&tls.ca_file, "ca_file")? {
        roots.add(authority).with_context(|| format!("ca_file {}", tls.ca_file.display()))?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .context("TLS 1.2 and 1.3")?
        .with_root_certificates(roots);
    let Some((cert_file, key_file)) = &tls.client else { return Ok(builder.with_no_client_auth()) };
    let chain = certificates(cert_file, "cert_file")?;
    let key_file = resolved(key_file)?;
    // the library's words could quote the file, so they are left out
    let key = PrivateKeyDer::from_pem_file(&key_file)
        .map_err(|_| anyhow!("key_file {}: no readable private key in PEM form", key_file.display()))?;
    builder.with_client_auth_cert(chain, key).map_err(|_| {
        anyhow!("cert_file {} and key_file {} do not fit together", cert_file.display(), key_file.display())
    })
}

fn certificates(file: &Path, key: &str) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let file = resolved(file)?;
    let found: Vec<_> = CertificateDer::pem_file_iter(&file)
        .and_then(Iterator::collect)
        .map_err(|wrong| anyhow!("{key} {}: {wrong}; give certificates in PEM form", file.display()))?;
    if found.is_empty() {
        return Err(anyhow!("{key} {}: holds no certificate; give one in PEM form", file.display()));
    }
    Ok(found)
}

/// A relative name is one of systemd's credentials.
fn resolved(file: &Path) -> anyhow::Result<PathBuf> {
    if file.is_absolute() {
        return Ok(file.to_owned());
    }
    let folder = std::env::var_os("CREDENTIALS_DIRECTORY").with_context(|| {
        format!(
            "{} is a credential's name, but systemd gave none; add LoadCredential or give a whole path",
            file.display()
        )
    })?;
    Ok(Path::new(&folder).join(file))
}

fn boot_id() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}

fn seed() -> std::io::Result<[u8; 32]> {
    let mut seed = [0; 32];
    std::io::Read::read_exact(&mut std::fs::File::open("/dev/urandom")?, &mut seed)?;
    Ok(seed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_authority_is_told_with_its_key_and_file() {
        let tls = Tls { ca_file: "/nowhere/ca.pem".into(), client: None };

        let wrong = format!("{:#}", tls_config(&tls).expect_err("there is no such file"));

        assert!(wrong.contains("ca_file /nowhere/ca.pem"), "{wrong}");
    }
}
