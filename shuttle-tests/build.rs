//! Compiles this crate, and only this one, with `cfg(shuttle)`: the engine's own sources are included here
//! over shuttle's atomics, while `cargo test` needs no flags and all other crates stay as they are.

fn main() {
    println!("cargo:rustc-cfg=shuttle");
    println!("cargo:rerun-if-changed=build.rs");
}
