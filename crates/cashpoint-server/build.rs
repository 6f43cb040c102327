//! Prepares the files of `assets/` that the binary holds: each as it is, compressed, and with a version, which stands for
//! its content. Pages name what they load by its version, so that a browser need not ask for it twice.

use std::error::Error;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;

/// How many digits of its hash are the version of a file.
const VERSION_DIGITS: usize = 16;

struct Asset {
    name: String,
    content: Vec<u8>,
}

impl Asset {
    fn read(path: &Path) -> Result<Self, Box<dyn Error>> {
        Ok(Self {
            name: path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
            content: fs::read(path)?,
        })
    }

    fn version(&self) -> String {
        let mut digits = blake3::hash(&self.content).to_hex().to_string();
        digits.truncate(VERSION_DIGITS);
        digits
    }

    fn write(&self, out: &Path) -> Result<(), Box<dyn Error>> {
        fs::write(out.join(&self.name), &self.content)?;
        fs::write(out.join(format!("{}.version", self.name)), self.version())?;
        let compressed = File::create(out.join(format!("{}.gz", self.name)))?;
        let mut compressed = GzEncoder::new(compressed, Compression::best());
        compressed.write_all(&self.content)?;
        compressed.finish()?;
        Ok(())
    }
}

/// The files of these kinds in a directory.
fn files(directory: &Path, kinds: &[&str]) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|kind| kinds.iter().any(|it| kind == *it))
        {
            files.push(path);
        }
    }
    Ok(files)
}

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=assets");
    println!("cargo:rerun-if-changed=build.rs");
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    let assets = Path::new("assets");
    let mut versions = Vec::new();
    for directory in [assets, &assets.join("vendor")] {
        for path in files(directory, &["css", "js"])? {
            let asset = Asset::read(&path)?;
            asset.write(&out)?;
            versions.push((format!("\"/assets/{}", asset.name), asset.version()));
        }
    }
    for path in files(assets, &["html"])? {
        let mut page = Asset::read(&path)?;
        let mut text = String::from_utf8(page.content)?;
        for (named, version) in &versions {
            text = text.replace(&format!("{named}\""), &format!("{named}?v={version}\""));
        }
        page.content = text.into_bytes();
        page.write(&out)?;
    }
    Ok(())
}
