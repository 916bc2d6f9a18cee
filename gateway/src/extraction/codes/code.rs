//! The code of a value in a standard terminology.

use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;

/// The names in JSON of the systems whose codes the gateway ships.
pub(super) const SHIPPED_SYSTEMS: [&str; 6] = ["oncotree", "ncit", "hgnc", "hgvs", "drugbank", "ucum"];

/// The terminology that a code belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CodeSystem {
    /// `OncoTree`, for cancer types: `LUAD`.
    OncoTree,
    /// NCI Thesaurus, for cancer types: `C3512`.
    Ncit,
    /// HUGO Gene Nomenclature Committee, for genes: `HGNC:3236`.
    Hgnc,
    /// HGVS nomenclature, for the change of a protein: `p.(Leu858Arg)`. It refers to no transcript; the gene has a code
    /// of its own.
    Hgvs,
    /// `DrugBank`'s open vocabulary, for drugs: `DB09330`.
    DrugBank,
    /// Unified Code for Units of Measure, for the unit of a result: `ng/mL`.
    Ucum,
    /// A system of the operator's files (`codes.files`), by its name there.
    #[serde(untagged)]
    Operator(Arc<str>),
}

/// How the value and the name of the code are related.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(example = "exact")]
pub enum CodeBasis {
    /// The value is the name of the code, apart from case, hyphens, spacing and plain words of extent, setting or dose.
    Exact,
    /// The value is another name of the same thing.
    Synonym,
    /// The code says less than the value: it stands for a wider class, such as an organ for a cancer of that organ.
    Broader,
}

/// The code of a value in a standard terminology. A value gets a code only by a name in a list or by a written form,
/// never by similarity. The code says what the value names, and not that the note affirms it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Code {
    /// The terminology: `oncotree`, `ncit`, `hgnc`, `hgvs`, `drugbank`, `ucum`, or one of the operator's files by its
    /// name there.
    #[schema(value_type = String, example = "oncotree", min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9._:/-]+$")]
    pub system: CodeSystem,
    /// The code in the terminology.
    #[schema(example = "LUAD")]
    pub code: String,
    /// The name of the code. For the NCI Thesaurus, the name in `OncoTree` of the same cancer type.
    #[schema(example = "Lung Adenocarcinoma")]
    pub display: String,
    /// How the value and the name of the code are related. In a value with several names, it refers to one of them.
    pub basis: CodeBasis,
}
