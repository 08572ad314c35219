//! Every file of the fuzz targets' corpus, played by the same code as the fuzzer plays it.

use std::path::Path;

use livebox::rng::Rng;

#[path = "../fuzz/life.rs"]
mod life;

fn each<T>(target: &str, play: fn(&[u8]) -> T) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut played = 0;
    for file in std::fs::read_dir(&folder).expect("the corpus is there") {
        let input = std::fs::read(file.expect("a file").path()).expect("a readable file");
        play(&input);
        // and every shorter life, as truncation would have it
        for end in 0..input.len() {
            play(&input[..end]);
        }
        played += 1;
    }
    assert!(played > 0, "{} is empty", folder.display());
}

#[test]
fn the_corpus_of_each_fuzz_target_does_no_harm() {
    each("srt", life::srt);
    each("srtla", life::srtla);
    each("sender", life::sender);
    each("native", life::native);
    each("handshake", life::handshake);
    each("receiver", life::receiver);
    each("gateway", life::gateway);
    each("tunnel", life::tunnel);
}

/// Lives of random bytes; `LIVEBOX_LIVES` asks for more of each, from another seed on with `LIVEBOX_SEED`.
fn random<T>(play: fn(&[u8]) -> T, most: u64) -> Vec<T> {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let (lives, first) = (number("LIVEBOX_LIVES").unwrap_or(60), number("LIVEBOX_SEED").unwrap_or(1));
    let life = |seed| {
        let mut rng = Rng::simulated(seed);
        let mut life = vec![0; (rng.next_u64() % most) as usize];
        rng.fill(&mut life);
        play(&life)
    };
    (first..first + lives).map(life).collect()
}

#[test]
fn random_lives_of_every_machine_do_no_harm() {
    random(life::srt, 200);
    random(life::srtla, 300);
    random(life::native, 200);
    random(life::sender, 4000);
    // a life in which nothing ever gets through would prove nothing
    for play in [life::handshake, life::receiver, life::gateway, life::tunnel] {
        let came_out = random(play, 4000);
        assert!(came_out.iter().filter(|count| **count > 0).count() * 4 > came_out.len(), "{came_out:?}");
    }
}
