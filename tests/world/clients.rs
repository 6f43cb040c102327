//! Clients that close, stall, or send more than a request.
