//! `cashpoint journal`.
