//! The steps of one extraction.
/// x
#[derive(Debug)]
pub struct Pipeline;
/// x
#[derive(Debug)]
pub struct Extraction;
/// x
#[derive(Debug)]
pub struct ExtractError;
