//! The jobs that every tenant has.
