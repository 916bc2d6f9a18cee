//! Tests of the lists, and of the codes of single values.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use regex::Regex;

use super::{
    super::Field, Code, CodeBasis, CodeSystem, cancers, code::SHIPPED_SYSTEMS, drugs, fold::fold, genes, hgvs,
    list::names, list::rows, of, units,
};

fn name_of(system: &CodeSystem) -> &'static str {
    match system {
        CodeSystem::OncoTree => "oncotree",
        CodeSystem::Ncit => "ncit",
        CodeSystem::Hgnc => "hgnc",
        CodeSystem::Hgvs => "hgvs",
        CodeSystem::DrugBank => "drugbank",
        CodeSystem::Ucum => "ucum",
        CodeSystem::Operator(_) => "operator",
    }
}

/// Returns the codes of a value as "system code basis", without the basis where it is exact.
fn written(field: Field, value: &str) -> String {
    let codes = of(field, value).into_iter().map(|Code { system, code, basis, .. }| match basis {
        CodeBasis::Exact => format!("{} {code}", name_of(&system)),
        CodeBasis::Synonym => format!("{} {code} synonym", name_of(&system)),
        CodeBasis::Broader => format!("{} {code} broader", name_of(&system)),
    });
    codes.collect::<Vec<_>>().join(", ")
}

fn check(field: Field, cases: &[(&str, &str)]) {
    for (value, expected) in cases {
        assert_eq!(written(field, value), *expected, "{value}");
    }
}

#[test]
fn systems_and_bases_have_their_names_in_json() {
    let code = Code {
        system: CodeSystem::DrugBank,
        code: "DB09330".to_owned(),
        display: "Osimertinib".to_owned(),
        basis: CodeBasis::Exact,
    };
    let json = serde_json::json!({"system": "drugbank", "code": "DB09330", "display": "Osimertinib", "basis": "exact"});
    assert_eq!(serde_json::to_value(code).unwrap(), json);
    let shipped = [
        CodeSystem::OncoTree,
        CodeSystem::Ncit,
        CodeSystem::Hgnc,
        CodeSystem::Hgvs,
        CodeSystem::DrugBank,
        CodeSystem::Ucum,
    ];
    assert_eq!(shipped.each_ref().map(name_of), SHIPPED_SYSTEMS);
    assert_eq!(serde_json::to_value(CodeSystem::Operator(Arc::from("CLINIC"))).unwrap(), "CLINIC");
    for system in shipped {
        assert_eq!(serde_json::to_value(&system).unwrap(), name_of(&system));
    }
}

#[test]
fn rows_are_well_formed_and_codes_are_unique() {
    let is = |pattern: &str, text: &str| assert!(Regex::new(pattern).unwrap().is_match(text), "{text}");
    let mut codes = HashSet::new();
    for [path, display, ncit, same, broader] in rows(cancers::LIST) {
        is(r"^[A-Z0-9_]+(/[A-Z0-9-]+)*$", path);
        is(r"^(-|C[0-9]{4,6})$", ncit);
        is(r"^[A-Z]", display);
        assert!(codes.insert(path.rsplit('/').next().unwrap()), "{path}");
        assert!(ncit == "-" || codes.insert(ncit), "{ncit}");
        assert!(!same.is_empty() || !broader.is_empty(), "{path}");
        // An organ is not a cancer type.
        assert!(path.contains('/') || (same.is_empty() && ncit == "-"), "{path}");
    }
    for [id, symbol, names] in rows(genes::LIST) {
        is(r"^(-|HGNC:[0-9]{1,5})$", id);
        is(r"^(-|[A-Z0-9-]+)$", symbol);
        assert!(id == "-" || codes.insert(id), "{id}");
        assert!(!names.is_empty(), "{id}");
    }
    for [id, display, same, _] in rows(drugs::LIST) {
        is(r"^(-|DB[0-9]{5})$", id);
        is(r"^(-|[A-Z])", display);
        assert!(id == "-" || codes.insert(id), "{id}");
        assert!(!same.is_empty(), "{id}");
    }
}

#[test]
fn every_name_stands_once_in_its_list_and_has_the_code_of_its_row() {
    let displays = shipped();
    let mut seen = HashSet::new();
    let mut check = |field: Field, name: &'static str, code: Option<&str>, is_broader: bool| {
        let name = name.trim_start_matches('=');
        assert!(seen.insert((field, fold(name))), "{name}");
        let codes = of(field, name);
        assert_eq!(codes.first().map(|first| first.code.as_str()), code, "{name}");
        for code in codes {
            assert_eq!(displays.get(code.code.as_str()), Some(&code.display.as_str()), "{name}");
            assert_eq!(code.basis == CodeBasis::Broader, is_broader, "{name}");
            assert_eq!(code.basis == CodeBasis::Exact, fold(name) == fold(&code.display), "{name}");
        }
    };
    for [path, _, _, same, broader] in rows(cancers::LIST) {
        let code = path.rsplit('/').next();
        names(same).for_each(|name| check(Field::CancerType, name, code, false));
        names(broader).for_each(|name| check(Field::CancerType, name, code, true));
    }
    for [id, _, column] in rows(genes::LIST) {
        names(column).for_each(|name| check(Field::GeneMutation, name, Some(id).filter(|id| *id != "-"), false));
    }
    for [id, _, same, broader] in rows(drugs::LIST) {
        let code = Some(id).filter(|id| *id != "-");
        names(same).for_each(|name| check(Field::Treatment, name, code, false));
        names(broader).for_each(|name| check(Field::Treatment, name, code, true));
    }
}

/// Returns the name of each code of the lists.
fn shipped() -> HashMap<&'static str, &'static str> {
    let mut displays = HashMap::new();
    for [path, display, ncit, _, _] in rows(cancers::LIST) {
        displays.extend([(path.rsplit('/').next().unwrap(), display), (ncit, display)]);
    }
    displays.extend(rows(genes::LIST).into_iter().map(|[id, symbol, _]| (id, symbol)));
    displays.extend(rows(drugs::LIST).into_iter().map(|[id, display, _, _]| (id, display)));
    displays.extend(units::UNITS.map(|(_, ucum, display)| (ucum, display)));
    displays
}

#[test]
fn cancer_types_have_codes() {
    check(
        Field::CancerType,
        &[
            ("lung adenocarcinoma", "oncotree LUAD, ncit C3512"),
            ("adenocarcinoma of the lung", "oncotree LUAD synonym, ncit C3512 synonym"),
            ("Non-Small-Cell Lung Cancer", "oncotree NSCLC, ncit C2926"),
            ("melanoma", "oncotree MEL, ncit C3224"),
            ("melanoma (cutaneous)", "oncotree SKCM synonym, ncit C3510 synonym"),
            ("metastatic melanoma", "oncotree MEL, ncit C3224"),
            ("breast cancer", "oncotree BREAST broader"),
            ("HER2-positive breast cancer", "oncotree BREAST broader"),
            ("breast cancer (invasive ductal carcinoma)", "oncotree IDC synonym, ncit C4194 synonym"),
            ("breast cancer (invasive ductal carcinoma, HER2-positive)", "oncotree IDC broader, ncit C4194 broader"),
            ("invasive ductal carcinoma of the left breast", "oncotree IDC synonym, ncit C4194 synonym"),
            ("prostate cancer (metastatic castration-resistant)", "oncotree PROSTATE broader"),
            ("glioblastoma (WHO grade IV)", "oncotree DIFG broader"),
            ("multiple myeloma", "oncotree PCM synonym, ncit C3242 synonym"),
            ("Hodgkin's lymphoma", "oncotree HL, ncit C9357"),
            ("oesophageal adenocarcinoma", "oncotree ESCA, ncit C4025"),
            ("Wilms\u{2019} tumour", "oncotree WT"),
            ("multiple myeloma (IgG kappa)", "oncotree PCM broader, ncit C3242 broader"),
            ("breast cancer (ductal)", "oncotree BREAST broader"),
            ("t-AML", "oncotree TAML synonym"),
            ("mixed nonseminoma", "oncotree NSGCT broader"),
            // No one code is right for these.
            ("carcinoma", ""),
            ("adenocarcinoma", ""),
            ("mass", ""),
            ("malignancy (lung adenocarcinoma)", ""),
            ("lung adenocarcinoma (breast cancer)", ""),
            ("melanoma and lung adenocarcinoma", ""),
            ("metastatic brain cancer", ""),
            ("metastatic adenocarcinoma to the lung", ""),
            ("non-invasive breast cancer", ""),
            ("IDH-mutant glioblastoma", ""),
            ("choriocarcinoma", ""),
            ("liver cancer", ""),
        ],
    );
}

#[test]
fn genes_and_changes_have_codes() {
    check(
        Field::GeneMutation,
        &[
            ("BRAF V600E", "hgnc HGNC:1097, hgvs p.(Val600Glu) synonym"),
            ("EGFR p.(Leu858Arg)", "hgnc HGNC:3236, hgvs p.(Leu858Arg)"),
            ("EGFR L858R, EGFR T790M", "hgnc HGNC:3236, hgvs p.(Leu858Arg) synonym, hgvs p.(Thr790Met) synonym"),
            (
                "EGFR L858R; TP53 R273C",
                "hgnc HGNC:3236, hgvs p.(Leu858Arg) synonym, hgnc HGNC:11998, hgvs p.(Arg273Cys) synonym",
            ),
            ("TP53 R213*", "hgnc HGNC:11998, hgvs p.(Arg213Ter) synonym"),
            ("BRCA1 Q1756Pfs*74", "hgnc HGNC:1100, hgvs p.(Gln1756ProfsTer74) synonym"),
            ("APC Q1378fs", "hgnc HGNC:583, hgvs p.(Gln1378fs) synonym"),
            ("KRAS G12C", "hgnc HGNC:6407, hgvs p.(Gly12Cys) synonym"),
            ("EGFR exon 19 deletion", "hgnc HGNC:3236"),
            ("EGFR E746_A750del", "hgnc HGNC:3236"),
            ("BRAF V600E/K", "hgnc HGNC:1097"),
            ("BRAF V600E not detected", "hgnc HGNC:1097"),
            ("KRAS wild-type", "hgnc HGNC:6407"),
            ("BRAF V600E or V600K", "hgnc HGNC:1097"),
            ("EML4-ALK fusion", "hgnc HGNC:1316, hgnc HGNC:427"),
            ("HER2 amplification", "hgnc HGNC:3430 synonym"),
            ("FLT3-ITD", "hgnc HGNC:3765"),
            ("c-KIT exon 11", "hgnc HGNC:6342 synonym"),
            ("TERT C228T", "hgnc HGNC:11730"),
            ("BRCA1 T300G", "hgnc HGNC:1100"),
            ("H3F3A K27M", "hgnc HGNC:4764 synonym"),
            ("MET amplification", "hgnc HGNC:7029"),
            // A change without a gene, names of several genes, and words.
            ("L858R", ""),
            ("BRCA1/2 mutation", ""),
            ("MSH2/6 loss", ""),
            ("RAS wild type", ""),
            ("H3 K27M", ""),
            ("the patient met criteria", ""),
            ("MSI-H", ""),
        ],
    );
}

#[test]
fn drugs_have_codes() {
    check(
        Field::Treatment,
        &[
            ("osimertinib", "drugbank DB09330"),
            ("Tagrisso", "drugbank DB09330 synonym"),
            ("osimertinib 80 mg daily", "drugbank DB09330"),
            ("adjuvant pembrolizumab", "drugbank DB09037"),
            ("carboplatin and pemetrexed", "drugbank DB00958, drugbank DB00642"),
            ("carboplatin/paclitaxel", "drugbank DB00958, drugbank DB01229"),
            ("dabrafenib + trametinib (current)", "drugbank DB08912, drugbank DB08911"),
            ("docetaxel 75 mg/m2, then cisplatin x4", "drugbank DB01248, drugbank DB00515"),
            ("5-fluorouracil (5-FU)", "drugbank DB00544 synonym"),
            ("nab-paclitaxel", "drugbank DB01229 broader"),
            ("T-DM1", "drugbank DB05773 synonym"),
            ("FOLFOX and bevacizumab", "drugbank DB00112"),
            ("docetaxel, carboplatin and trastuzumab (TCH)", "drugbank DB01248, drugbank DB00958, drugbank DB00072"),
            // Other treatments have no code. With other words, the drugs beside them have no code either.
            ("FOLFOX", ""),
            ("radiation with temozolomide", "drugbank DB00853"),
            ("chemotherapy", ""),
            ("surgery", ""),
            ("no bevacizumab", ""),
            ("pembrolizumab declined", ""),
            ("osimertinib (after carboplatin)", ""),
            ("liposomal vincristine", ""),
            ("80 mg daily", ""),
            ("osimertinib (", ""),
        ],
    );
}

#[test]
fn units_have_codes() {
    check(
        Field::Biomarker,
        &[
            ("PD-L1 10%", "ucum %"),
            ("PSA 8.2 ng/mL", "ucum ng/mL"),
            ("PSA 12 ng/ml (baseline)", "ucum ng/mL synonym"),
            ("CA-125 >500 U/mL", "ucum [arb'U]/mL synonym"),
            ("LDH 450 U/L", "ucum U/L"),
            ("ER 90%, PR 40%", "ucum %"),
            ("HER2 3+", ""),
            ("TMB 18 mut/Mb", ""),
            ("mg/dL elevated", ""),
            ("5 mg/dL/day", ""),
        ],
    );
    check(Field::Stage, &[("IV", ""), ("BRAF V600E", "")]);
    check(Field::Treatment, &[("osimertinib ".repeat(60).as_str(), "")]);
}

#[test]
fn amino_acids_are_told_apart_from_dna_by_the_gene() {
    let change = |text: &'static str, symbol| hgvs::change(text, 0..text.len(), symbol);
    assert_eq!(change("G12A", "KRAS").as_deref(), Some("p.(Gly12Ala)"));
    for (text, symbol) in
        [("G12A", "BRCA2"), ("V600V", "BRAF"), ("M1V", "VHL"), ("V600X", "BRAF"), ("V600", "BRAF"), ("E2F", "RB1")]
    {
        assert_eq!(change(text, symbol), None, "{text}");
    }
}
