//! Every file of the fuzz targets' corpus, played by the same code as the fuzzer plays it.

use std::path::Path;

#[path = "../fuzz/life.rs"]
mod life;

fn each(target: &str, play: fn(&[u8])) {
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
}
