//! Noise IK by `snow`: our generator for its randomness, `ring` for cipher and hash, `curve25519-dalek` for X25519.
//!
//! `ring`'s ChaCha20-Poly1305 is several times as quick as the portable one on both kinds of processor that
//! the product runs on, and it is in the tree already, for TLS. Its X25519 has no keys that last.

use curve25519_dalek::MontgomeryPoint;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use ring::digest;
use snow::params::{CipherChoice, DHChoice, HashChoice, NoiseParams};
use snow::resolvers::CryptoResolver;
use snow::types::{Cipher, Dh, Hash, Random};
use snow::{Builder, Error, HandshakeState};

use super::keys::{PrivateKey, PublicKey};
use crate::rng::Rng;

/// The protocol, as Noise names it.
pub(super) const NAME: &str = "Noise_IK_25519_ChaChaPoly_SHA256";
/// What both sides must agree on beside the keys; the attempt's token and cookie follow.
const PROLOGUE: &[u8] = b"livebox native 1";
/// A handshake message is never longer.
pub(super) const MOST_MESSAGE: usize = 1100;
const TAG: usize = 16;

/// Begins the box's side.
pub(super) fn initiator(
    key: &PrivateKey,
    peer: PublicKey,
    bound: &[u8],
    rng: &mut Rng,
) -> Result<HandshakeState, Error> {
    builder(rng)?
        .local_private_key(key.bytes())?
        .remote_public_key(&peer.0)?
        .prologue(&prologue(bound))?
        .build_initiator()
}

/// Begins the gateway's side.
pub(super) fn responder(key: &PrivateKey, bound: &[u8], rng: &mut Rng) -> Result<HandshakeState, Error> {
    builder(rng)?.local_private_key(key.bytes())?.prologue(&prologue(bound))?.build_responder()
}

fn builder<'k>(rng: &mut Rng) -> Result<Builder<'k>, Error> {
    let params: NoiseParams = NAME.parse()?;
    let mut seed = [0; 32];
    rng.fill(&mut seed);
    Ok(Builder::with_resolver(params, Box::new(Resolver { seed })))
}

fn prologue(bound: &[u8]) -> Vec<u8> {
    [PROLOGUE, bound].concat()
}

/// Gives snow its parts. One of it serves one handshake, so the seed is drawn from once.
struct Resolver {
    seed: [u8; 32],
}

impl CryptoResolver for Resolver {
    fn resolve_rng(&self) -> Option<Box<dyn Random>> {
        Some(Box::new(Drawn(Rng::from_seed(self.seed))))
    }

    fn resolve_dh(&self, choice: &DHChoice) -> Option<Box<dyn Dh>> {
        matches!(choice, DHChoice::Curve25519).then(|| Box::new(X25519::default()) as Box<dyn Dh>)
    }

    fn resolve_hash(&self, choice: &HashChoice) -> Option<Box<dyn Hash>> {
        matches!(choice, HashChoice::SHA256).then(|| Box::new(Sha256::new()) as Box<dyn Hash>)
    }

    fn resolve_cipher(&self, choice: &CipherChoice) -> Option<Box<dyn Cipher>> {
        matches!(choice, CipherChoice::ChaChaPoly).then(|| Box::new(ChaChaPoly::new(&[0; 32])) as Box<dyn Cipher>)
    }
}

struct Drawn(Rng);

impl Random for Drawn {
    fn try_fill_bytes(&mut self, dest: &mut [u8]) -> Result<(), Error> {
        self.0.fill(dest);
        Ok(())
    }
}

/// The public half of an X25519 key (RFC 7748).
pub(super) fn public(private: &[u8; 32]) -> [u8; 32] {
    MontgomeryPoint::mul_base_clamped(*private).to_bytes()
}

#[derive(Default)]
struct X25519 {
    private: [u8; 32],
    public: [u8; 32],
}

impl Dh for X25519 {
    fn name(&self) -> &'static str {
        "25519"
    }

    fn pub_len(&self) -> usize {
        32
    }

    fn priv_len(&self) -> usize {
        32
    }

    fn set(&mut self, private: &[u8]) {
        self.private.copy_from_slice(&private[..32]);
        self.public = public(&self.private);
    }

    fn generate(&mut self, rng: &mut dyn Random) -> Result<(), Error> {
        let mut private = [0; 32];
        rng.try_fill_bytes(&mut private)?;
        self.set(&private);
        Ok(())
    }

    fn pubkey(&self) -> &[u8] {
        &self.public
    }

    fn privkey(&self) -> &[u8] {
        &self.private
    }

    fn dh(&self, theirs: &[u8], out: &mut [u8]) -> Result<(), Error> {
        let theirs: [u8; 32] = theirs.get(..32).and_then(|key| key.try_into().ok()).ok_or(Error::Dh)?;
        let shared = MontgomeryPoint(theirs).mul_clamped(self.private).to_bytes();
        // a point of small order would make a secret that everybody knows
        if shared == [0; 32] {
            return Err(Error::Dh);
        }
        out[..32].copy_from_slice(&shared);
        Ok(())
    }
}

impl Drop for X25519 {
    fn drop(&mut self) {
        self.private = [0; 32];
        std::hint::black_box(&self.private);
    }
}

struct Sha256(digest::Context);

impl Sha256 {
    fn new() -> Self {
        Self(digest::Context::new(&digest::SHA256))
    }
}

impl Hash for Sha256 {
    fn name(&self) -> &'static str {
        "SHA256"
    }

    fn block_len(&self) -> usize {
        64
    }

    fn hash_len(&self) -> usize {
        32
    }

    fn reset(&mut self) {
        self.0 = digest::Context::new(&digest::SHA256);
    }

    fn input(&mut self, data: &[u8]) {
        self.0.update(data);
    }

    fn result(&mut self, out: &mut [u8]) {
        out[..32].copy_from_slice(self.0.clone().finish().as_ref());
    }
}

struct ChaChaPoly(LessSafeKey);

impl ChaChaPoly {
    fn new(key: &[u8; 32]) -> Self {
        Self(LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, key).expect("the key has 32 bytes")))
    }
}

/// Noise counts in the last eight of the twelve bytes, the lowest first.
fn nonce(number: u64) -> Nonce {
    let mut bytes = [0; 12];
    bytes[4..].copy_from_slice(&number.to_le_bytes());
    Nonce::assume_unique_for_key(bytes)
}

impl Cipher for ChaChaPoly {
    fn name(&self) -> &'static str {
        "ChaChaPoly"
    }

    fn set(&mut self, key: &[u8; 32]) {
        *self = Self::new(key);
    }

    fn encrypt(&self, number: u64, authtext: &[u8], plaintext: &[u8], out: &mut [u8]) -> usize {
        let (text, rest) = out.split_at_mut(plaintext.len());
        text.copy_from_slice(plaintext);
        let tag = self
            .0
            .seal_in_place_separate_tag(nonce(number), Aad::from(authtext), text)
            .expect("a message is shorter than 256 GiB");
        rest[..TAG].copy_from_slice(tag.as_ref());
        plaintext.len() + TAG
    }

    fn decrypt(&self, number: u64, authtext: &[u8], ciphertext: &[u8], out: &mut [u8]) -> Result<usize, Error> {
        if let Some(room) = out.get_mut(..ciphertext.len()) {
            room.copy_from_slice(ciphertext);
            let text = self.0.open_in_place(nonce(number), Aad::from(authtext), room).map_err(|_| Error::Decrypt)?;
            return Ok(text.len());
        }
        // inside a handshake the text's own room is all there is
        let mut room = ciphertext.to_vec();
        let text = self.0.open_in_place(nonce(number), Aad::from(authtext), &mut room).map_err(|_| Error::Decrypt)?;
        out.get_mut(..text.len()).ok_or(Error::Decrypt)?.copy_from_slice(text);
        Ok(text.len())
    }
}
