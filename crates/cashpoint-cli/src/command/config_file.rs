//! Settings from a file of TOML, by the names of their flags: `max-accounts = 5000`.
//!
//! A setting of the file is what a flag is without one: flags come first, then the environment, then the file, then what is
//! built in. The values are checked as those of flags are.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use clap::Command;
use clap::error::ErrorKind;

/// The flag that names the file.
pub(super) const FLAG: &str = "config";

/// What a file sets: the values of each flag.
pub(super) type Settings = BTreeMap<String, Vec<String>>;

/// The file that the words of a command line name.
fn named(words: impl Iterator<Item = OsString>) -> Option<PathBuf> {
    let mut words = words.skip_while(|word| {
        let word = word.to_str().unwrap_or_default();
        word != "--config" && !word.starts_with("--config=")
    });
    let word = words.next()?;
    match word.to_str()?.strip_prefix("--config=") {
        Some(path) => Some(path.into()),
        None => words.next().map(PathBuf::from),
    }
}

/// Reads the file that is named among `words`, if there is one.
///
/// # Errors
///
/// What is wrong with it, for a person.
pub(super) fn read(words: impl Iterator<Item = OsString>) -> Result<Settings, clap::Error> {
    let Some(path) = named(words) else {
        return Ok(Settings::new());
    };
    let wrong = |why: String| {
        let why = format!("--config {}: {why}\n", path.display());
        clap::Error::raw(ErrorKind::ValueValidation, why)
    };
    let text = std::fs::read_to_string(&path).map_err(|error| wrong(error.to_string()))?;
    let table: toml::Table = text
        .parse()
        .map_err(|error: toml::de::Error| wrong(error.to_string().trim_end().to_owned()))?;
    let mut settings = Settings::new();
    for (name, value) in table {
        let values = match value {
            toml::Value::Array(values) => values.iter().map(plain).collect(),
            value => plain(&value).map(|value| vec![value]),
        };
        let values = values.ok_or_else(|| {
            wrong(format!(
                "{name} is neither a text, a number, true or false, nor a list"
            ))
        })?;
        settings.insert(name, values);
    }
    Ok(settings)
}

/// A value as a flag has it.
fn plain(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Float(number) => Some(number.to_string()),
        toml::Value::Boolean(is_so) => Some(is_so.to_string()),
        _ => None,
    }
}

/// The command with what the file sets in the place of what is built in.
///
/// # Errors
///
/// A name that is none of its flags.
pub(super) fn apply(command: Command, settings: &Settings) -> Result<Command, clap::Error> {
    let is_flag = |name: &String| {
        let mut arguments = command.get_arguments();
        name != FLAG && arguments.any(|it| it.get_long() == Some(name) && it.get_env().is_some())
    };
    if let Some(unknown) = settings.keys().find(|name| !is_flag(name)) {
        let why = format!(
            "--config: {unknown} is no setting; they have the names of the flags, such as max-accounts\n"
        );
        return Err(clap::Error::raw(ErrorKind::UnknownArgument, why));
    }
    Ok(command.mut_args(|argument| {
        let values = argument.get_long().and_then(|name| settings.get(name));
        match values.cloned() {
            Some(values) => argument.default_values(values),
            None => argument,
        }
    }))
}
