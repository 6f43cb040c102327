//! The command line with the settings of the environment, by one rule for all commands: a variable that is empty is
//! not set. And whatever is wrong with a setting is told with both of its names, the flag and the variable.

use std::env;
use std::ffi::OsStr;
use std::fmt::Write as _;

use clap::builder::Resettable;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command, Error, Parser, ValueHint};

use super::config_file::{self, Settings};

/// A command line that was read.
pub(super) struct Parsed<P> {
    pub(super) arguments: P,
    matches: ArgMatches,
    from_file: Settings,
}

/// Reads the command line.
///
/// # Errors
///
/// What is to be said, and with which exit code, where it is wrong or asks for help.
pub(super) fn parse<P: Parser>() -> Result<Parsed<P>, Error> {
    let mut command = without_empty(P::command());
    let is_file = |it: &Arg| it.get_long() == Some(config_file::FLAG);
    // A command without that flag says itself that it has none.
    let from_file = match called(&command).get_arguments().any(is_file) {
        true => config_file::read(env::args_os())?,
        false => Settings::new(),
    };
    if !from_file.is_empty() {
        let name = called(&command).get_name().to_owned();
        let mut applied = Ok(());
        command = command.mut_subcommand(name, |it| {
            config_file::apply(it.clone(), &from_file).unwrap_or_else(|error| {
                applied = Err(error);
                it
            })
        });
        applied?;
    }
    let parsed = command
        .try_get_matches_from_mut(env::args_os())
        .and_then(|matches| match P::from_arg_matches(&matches) {
            Ok(arguments) => Ok((arguments, matches)),
            Err(error) => Err(error.format(&mut command)),
        });
    let (arguments, matches) = parsed.map_err(|error| match error.kind() {
        // Help names every variable, also an empty one.
        ErrorKind::DisplayHelp => P::try_parse().err().unwrap_or(error),
        _ => with_variable(error, &mut command),
    })?;
    Ok(Parsed {
        arguments,
        matches,
        from_file,
    })
}

/// The settings of a command that have a variable, a line each as in a file of variables, with where each comes from.
pub(super) fn in_force<P: Parser>(name: &str, parsed: &Parsed<P>) -> String {
    let mut text = String::new();
    let command = P::command();
    let (Some(called), Some(matches)) = (
        command.find_subcommand(name),
        parsed.matches.subcommand_matches(name),
    ) else {
        return text;
    };
    for argument in called.get_arguments() {
        let (Some(variable), Some(flag)) = (argument.get_env(), argument.get_long()) else {
            continue;
        };
        let id = argument.get_id().as_str();
        let values = matches.get_raw(id);
        let values: Vec<_> = values
            .into_iter()
            .flatten()
            .map(|value| value.display().to_string())
            .collect();
        let source = match matches.value_source(id) {
            Some(ValueSource::CommandLine) => format!("--{flag}"),
            Some(ValueSource::EnvVariable) => variable.display().to_string(),
            Some(_) if parsed.from_file.contains_key(flag) => format!("--{}", config_file::FLAG),
            Some(_) => "default".to_owned(),
            None => "not set".to_owned(),
        };
        let setting = format!("{}={}", variable.display(), values.join(","));
        // Writing to a `String` cannot fail.
        let _ = writeln!(text, "{setting:<40} # {source}");
    }
    text
}

/// The command without the variables that are empty: hosting platforms set those that they have no value for to nothing.
fn without_empty(command: Command) -> Command {
    let is_empty = |name: &OsStr| env::var_os(name).is_some_and(|value| value.is_empty());
    command
        .mut_args(|argument| match argument.get_env() {
            Some(name) if is_empty(name) => argument.env(Resettable::Reset),
            _ => argument,
        })
        .mut_subcommands(without_empty)
}

/// Names the variable beside the flag, where a value is wrong.
fn with_variable(error: Error, command: &mut Command) -> Error {
    match error.kind() {
        ErrorKind::InvalidUtf8 => {
            let said = called(command).get_arguments().find_map(no_text);
            return match said {
                Some(said) => Error::raw(ErrorKind::InvalidUtf8, said).format(command),
                None => error,
            };
        }
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => {}
        _ => return error,
    }
    let Some(ContextValue::String(flag)) = error.get(ContextKind::InvalidArg) else {
        return error;
    };
    let name = flag.split([' ', '=', '[']).next().unwrap_or_default();
    let name = name.trim_start_matches('-');
    let mut arguments = called(command).get_arguments();
    let argument = arguments.find(|it| it.get_long() == Some(name));
    let Some(variable) = argument.and_then(Arg::get_env) else {
        return error;
    };
    // Between clap's own quotes.
    let both = format!("{flag}' or the variable '{}", variable.display());
    let mut error = error;
    error.insert(ContextKind::InvalidArg, ContextValue::String(both));
    error
}

/// The command that the words of the command line lead to.
fn called(command: &Command) -> &Command {
    env::args_os().skip(1).fold(command, |called, word| {
        called.find_subcommand(&word).unwrap_or(called)
    })
}

/// What is wrong with the variable of a setting that has to be text, if it is none.
fn no_text(argument: &Arg) -> Option<String> {
    let (flag, variable) = (argument.get_long()?, argument.get_env()?);
    let value = env::var_os(variable)?;
    // A path may be any bytes.
    let is_path = argument.get_value_hint() == ValueHint::AnyPath;
    (!is_path && value.to_str().is_none()).then(|| {
        format!(
            "invalid value '{}' for '--{flag}' or the variable '{}': must be text in UTF-8",
            value.display(),
            variable.display()
        )
    })
}
