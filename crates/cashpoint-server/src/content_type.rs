//! What the body of a request was declared to be.

/// Whether a body was declared to be JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum ContentType {
    /// It was, or nothing was declared.
    #[default]
    Json,
    Other,
}

impl ContentType {
    /// What the header says.
    pub(super) fn of(header: &str) -> Self {
        // As nearly all write it. An empty header declares nothing.
        if header == "application/json" || header.is_empty() {
            return Self::Json;
        }
        let essence = header
            .split_once(';')
            .map_or(header, |(essence, _)| essence)
            .trim();
        let subtype = match essence.split_once('/') {
            Some((kind, subtype)) if kind.eq_ignore_ascii_case("application") => subtype,
            _ => return Self::Other,
        };
        let suffix = subtype
            .rsplit_once('+')
            .map_or(subtype, |(_, suffix)| suffix);
        if suffix.eq_ignore_ascii_case("json") {
            Self::Json
        } else {
            Self::Other
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_declared_in_several_ways() {
        for header in [
            "",
            "application/json",
            "Application/JSON",
            "application/json; charset=utf-8",
            "application/json;charset=utf-8",
            "application/problem+json",
        ] {
            assert_eq!(ContentType::of(header), ContentType::Json, "{header}");
        }
        for header in [
            "text/plain",
            "text/json",
            "application/jsonl",
            "application",
            "json",
        ] {
            assert_eq!(ContentType::of(header), ContentType::Other, "{header:?}");
        }
    }
}
