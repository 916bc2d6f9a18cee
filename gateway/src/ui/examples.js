// Example notes, invented for the page: no such patients exist.

export const EXAMPLES = [
  {
    name: 'Clinic note, lung',
    text: `Medical oncology clinic, follow-up visit

58-year-old woman, never smoker, with adenocarcinoma of the lung, stage IV, and hepatic metastases at diagnosis.
NGS on the liver biopsy: EGFR exon 19 deletion. PD-L1 TPS 60%. ALK and ROS1 negative.
MRI of the head: no evidence of brain metastases.

She started osimertinib 80 mg daily eight months ago and tolerates it well. CT of the chest and abdomen this week shows a partial response of the primary and of the liver lesions.

Plan: continue osimertinib, next imaging in three months.`,
  },
  {
    name: 'Tumour board, breast',
    text: `Tumour board summary

Diagnosis: invasive ductal carcinoma of the left breast, stage IIB.
Receptors: ER positive, PR positive, HER2 negative, Ki-67 22%.
Genetics: BRCA1/2 testing pending.
Family history: mother had ovarian cancer at 61, maternal aunt had breast cancer.

Treatment so far: lumpectomy with sentinel node biopsy, then doxorubicin and cyclophosphamide, four cycles.
She declined paclitaxel because of neuropathy.

Recommendation: will start letrozole; adjuvant radiotherapy is planned.`,
  },
  {
    name: 'Discharge letter, colon',
    text: `Discharge letter

Dear colleague, we report on a 71-year-old man with widely metastatic colon cancer. CT on admission: multiple pulmonary nodules consistent with lung metastases; a peritoneal deposit cannot be excluded. KRAS wild-type, MSI-high.

He had received FOLFOX with bevacizumab last year, with stable disease for seven months, and now shows progressive disease. Pembrolizumab is planned as the next line.

Past history: prostatectomy for localised prostate cancer in 2011.`,
  },
];
