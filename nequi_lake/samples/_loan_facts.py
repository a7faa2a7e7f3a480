"""What is known of the full file of loans, and the words its stand-in is written with. No code that draws.

Counts are those of the 887,379 loans of the published file; quantiles are its quartiles, with tails by eye.
Texts that borrowers wrote are made up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

FULL_ROWS = 887_379

LOAN_PAGE = "https://www.lendingclub.com/browse/loanDetail.action?loan_id="

DICTIONARY: Mapping[str, str] = {
    "id": "Number of the loan.",
    "member_id": "Number of the member who borrows.",
    "loan_amnt": "Amount in USD that the borrower asked for.",
    "funded_amnt": "Amount in USD that was lent.",
    "funded_amnt_inv": "Part of the amount lent, in USD, that investors provided.",
    "term": "Agreed number of monthly payments: 36 or 60.",
    "int_rate": "Interest, percent a year.",
    "installment": "Agreed monthly payment, USD.",
    "grade": "Risk grade that the lender gave, A (least risk) to G.",
    "sub_grade": "Risk grade in finer steps, A1 to G5.",
    "emp_title": "Work of the borrower, in the borrower's words; the employer's name until September 2013.",
    "emp_length": "Years in that work, from under one to ten or more.",
    "home_ownership": "How the borrower lives: mortgage, own home, rent or other.",
    "annual_inc": "Income that the borrower states, USD a year.",
    "verification_status": "Whether the lender checked the income, or where it comes from.",
    "issue_d": "Month in which the loan was paid out.",
    "loan_status": "State of the loan when the file was made.",
    "pymnt_plan": "Whether a special payment plan is in force: y or n.",
    "url": "Address of the loan's page at the lender.",
    "desc": "What the borrower wrote about the loan.",
    "purpose": "What the loan is for, one of a fixed list.",
    "title": "Heading that the borrower gave the loan.",
    "zip_code": "First three digits of the borrower's ZIP code.",
    "addr_state": "State in which the borrower lives.",
    "dti": "Monthly debt payments, without mortgage and this loan, in percent of monthly income.",
    "delinq_2yrs": "Times the borrower was 30 days late or more in the last two years.",
    "earliest_cr_line": "Month in which the borrower's first credit line was opened.",
    "inq_last_6mths": "Credit inquiries in the last six months.",
    "mths_since_last_delinq": "Months since the last late payment.",
    "mths_since_last_record": "Months since the last public record.",
    "open_acc": "Credit lines open now.",
    "pub_rec": "Public records that count against the borrower.",
    "revol_bal": "Balance of revolving credit, USD.",
    "revol_util": "Revolving balance in percent of its limit.",
    "total_acc": "Credit lines ever opened.",
    "initial_list_status": "How the loan was first listed: f (in fractions) or w (whole).",
    "out_prncp": "Principal still owed, USD.",
    "out_prncp_inv": "Principal still owed on the investors' part, USD.",
    "total_pymnt": "All payments received so far, USD.",
    "total_pymnt_inv": "Payments received so far on the investors' part, USD.",
    "total_rec_prncp": "Principal received so far, USD.",
    "total_rec_int": "Interest received so far, USD.",
    "total_rec_late_fee": "Late fees received so far, USD.",
    "recoveries": "Received after the loan was charged off, USD.",
    "collection_recovery_fee": "Fee for collecting after the charge-off, USD.",
    "last_pymnt_d": "Month of the last payment.",
    "last_pymnt_amnt": "Amount of the last payment, USD.",
    "next_pymnt_d": "Month in which the next payment is due.",
    "last_credit_pull_d": "Month in which the lender last looked at the borrower's credit file.",
    "collections_12_mths_ex_med": "Collections in the last twelve months, medical ones left out.",
    "mths_since_last_major_derog": "Months since the borrower was last 90 days late or worse.",
    "policy_code": "1 for products open to the public.",
    "application_type": "Whether one person applied or two together.",
    "annual_inc_joint": "Income of both applicants, USD a year.",
    "dti_joint": "Debt-to-income ratio of both applicants, percent.",
    "verification_status_joint": "Whether the lender checked the income of both applicants.",
    "acc_now_delinq": "Accounts on which the borrower is late now.",
    "tot_coll_amt": "Amounts ever sent to collection, USD.",
    "tot_cur_bal": "Balance of all accounts, USD.",
    "open_acc_6m": "Accounts opened in the last six months.",
    "open_il_6m": "Instalment accounts in use.",
    "open_il_12m": "Instalment accounts opened in the last twelve months.",
    "open_il_24m": "Instalment accounts opened in the last twenty-four months.",
    "mths_since_rcnt_il": "Months since the newest instalment account was opened.",
    "total_bal_il": "Balance of all instalment accounts, USD.",
    "il_util": "Instalment balance in percent of the amounts first lent.",
    "open_rv_12m": "Revolving accounts opened in the last twelve months.",
    "open_rv_24m": "Revolving accounts opened in the last twenty-four months.",
    "max_bal_bc": "Largest balance on any revolving account, USD.",
    "all_util": "Balance of all accounts in percent of their limits.",
    "total_rev_hi_lim": "Limit of all revolving credit, USD.",
    "inq_fi": "Inquiries by personal finance companies.",
    "total_cu_tl": "Accounts with personal finance companies.",
    "inq_last_12m": "Credit inquiries in the last twelve months.",
}
"""Column → what it holds; the order is that of the file."""

ISSUED: Mapping[int, Sequence[int]] = {
    2007: (24, 63, 74, 53, 105, 112, 172),
    2008: (305, 306, 402, 288, 115, 124, 141, 100, 57, 122, 209, 224),
    2009: (269, 302, 324, 333, 359, 406, 411, 446, 507, 604, 662, 658),
    2010: (662, 682, 828, 912, 989, 1_090, 1_204, 1_175, 1_189, 1_232, 1_224, 1_350),
    2011: (1_448, 1_320, 1_492, 1_607, 1_728, 1_855, 1_899, 1_962, 2_102, 1_812, 2_229, 2_267),
    2012: (2_602, 2_560, 2_914, 3_230, 3_400, 3_817, 4_627, 5_419, 6_087, 6_263, 6_382, 6_066),
    2013: (6_872, 7_561, 8_273, 9_419, 10_350, 10_899, 11_910, 12_674, 12_987, 14_114, 14_676, 15_020),
    2014: (15_628, 15_269, 16_513, 19_071, 19_099, 17_179, 29_306, 18_814, 10_606, 38_782, 25_054, 10_308),
    2015: (35_107, 23_770, 25_400, 35_427, 31_913, 28_485, 45_962, 35_886, 28_641, 48_631, 37_530, 44_341),
}
"""Year → loans issued in each of its months, the last one December."""

FILE_ORDER = ((2007, 2011), (2012, 2013), (2014, 2014), (2015, 2015))
"""The years of each part of the file; within a part, the newest month comes first."""

SNAPSHOT = (2016, 1)
"""Year and month in which the file was made."""

ID_SHARES = (0.0, 0.0234, 0.048, 0.1081, 0.2599, 0.5255, 0.75, 1.0)
IDS = (54_734.0, 640_000.0, 1_077_560.0, 3_210_000.0, 10_240_000.0, 36_800_000.0, 54_900_000.0, 68_617_057.0)
MEMBER_IDS = (70_473.0, 830_000.0, 1_314_500.0, 3_950_000.0, 12_000_000.0, 39_700_000.0, 58_500_000.0, 73_544_841.0)
"""Numbers rise with time: those of the oldest loan, of the newest, and between."""
ID_ROUND = 80_000_000
"""How far the numbers of the second full size lie above those of the first."""

SUB_GRADES: Mapping[str, Sequence[int]] = {
    "A": (22_913, 22_485, 23_457, 34_531, 44_816),
    "B": (44_972, 48_781, 56_323, 55_626, 48_833),
    "C": (53_387, 52_236, 50_161, 48_857, 41_219),
    "D": (36_238, 29_803, 26_554, 25_558, 21_389),
    "E": (18_268, 17_004, 14_134, 11_724, 9_575),
    "F": (7_218, 5_392, 4_433, 3_409, 2_594),
    "G": (1_871, 1_398, 981, 663, 576),
}
"""Grade → loans of its sub-grades 1 to 5."""

RATES: Mapping[int, Sequence[float]] = {
    2011: (
        *(6.03, 6.62, 7.51, 7.90, 8.90, 9.91, 10.65, 11.71, 12.42, 12.69, 13.49, 14.27, 14.65, 15.27, 15.96),
        *(16.29, 16.77, 17.27, 17.58, 18.25, 18.64, 19.03, 19.42, 19.91, 20.30, 20.89, 21.28, 21.67, 22.06, 22.35),
        *(22.74, 23.13, 23.52, 23.91, 24.11),
    ),
    2013: (
        *(6.03, 6.62, 7.62, 7.90, 8.90, 9.67, 11.14, 12.12, 13.11, 14.09, 14.33, 15.31, 15.80, 16.29, 17.27),
        *(17.77, 18.75, 19.05, 19.72, 20.49, 21.00, 21.60, 22.40, 22.90, 23.28, 23.40, 23.63, 23.76, 24.08, 24.33),
        *(24.50, 24.83, 25.57, 25.80, 25.83),
    ),
    2014: (
        *(6.03, 6.49, 6.99, 7.49, 8.19, 8.67, 9.49, 10.49, 11.44, 11.99, 12.39, 12.99, 13.66, 14.31, 14.99),
        *(15.59, 16.29, 16.99, 17.57, 18.25, 18.99, 19.52, 20.20, 20.99, 22.15, 22.99, 23.99, 24.50, 24.99, 25.57),
        *(25.80, 25.83, 25.89, 25.99, 26.06),
    ),
    2015: (
        *(5.32, 6.24, 6.89, 7.26, 7.89, 8.18, 9.17, 9.99, 10.99, 11.53, 12.29, 12.69, 13.33, 13.99, 14.65),
        *(15.61, 16.55, 16.99, 17.86, 18.55, 19.19, 19.99, 20.99, 21.99, 22.45, 23.13, 23.99, 24.99, 25.69, 26.49),
        *(26.77, 27.31, 27.88, 28.49, 28.99),
    ),
}
"""Year → interest of each sub-grade in percent; other years are like the nearest."""

Quantiles = tuple[Sequence[float], Sequence[float]]
"""Shares from 0 to 1, and the values that these shares of the loans do not exceed."""

_QUARTERS = (0.0, 0.25, 0.5, 0.75, 1.0)
_USUAL = (0.0, 0.02, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)
_LONG_TAIL = (0.0, 0.02, 0.25, 0.5, 0.75, 0.95, 0.99, 0.9995, 1.0)

AMOUNT: Quantiles = (
    (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.94, 0.958, 1.0),
    (500.0, 1_500.0, 3_600.0, 8_000.0, 13_000.0, 20_000.0, 28_800.0, 35_000.0, 35_000.0),
)
INSTALLMENTS = (15.67, 1_445.46)
LARGEST_TOTAL = 57_500.0
INCOME: Quantiles = (
    _LONG_TAIL,
    (4_000.0, 20_000.0, 45_000.0, 65_000.0, 90_000.0, 151_000.0, 250_000.0, 700_000.0, 2_000_000.0),
)
LARGEST_INCOME = 9_500_000.0
JOINT_INCOME: Quantiles = (
    _USUAL,
    (17_950.0, 35_000.0, 76_000.0, 101_800.0, 132_800.0, 200_000.0, 280_000.0, 500_000.0),
)
DTI: Quantiles = (_USUAL, (0.0, 2.3, 11.91, 17.65, 23.95, 32.4, 37.3, 39.99))
LARGEST_DTI = 9_999.0
JOINT_DTI: Quantiles = (_USUAL, (3.0, 5.5, 13.2, 17.61, 22.65, 31.0, 36.0, 43.86))

LARGEST_LIMIT = 9_999_999.0

EVER_LATE = 433_067 / FULL_ROWS
EVER_RECORDED = 137_053 / FULL_ROWS
SINCE_LATE: Quantiles = (_USUAL, (0.0, 2.0, 15.0, 31.0, 50.0, 75.0, 82.0, 188.0))
SINCE_RECORD: Quantiles = (_USUAL, (0.0, 13.0, 51.0, 70.0, 92.0, 113.0, 117.0, 129.0))
SINCE_WORST: Quantiles = (_USUAL, (0.0, 4.0, 27.0, 44.0, 61.0, 79.0, 92.0, 188.0))
TIMES_LATE = (66.0, 19.5, 7.0, 3.3, 1.7, 1.0, 0.6, 0.35, 0.2, 0.13, 0.09, 0.06, 0.03, 0.02, 0.01)
RECORDS = (88.0, 8.5, 2.1, 0.7, 0.3, 0.15, 0.08, 0.05, 0.03, 0.02)
INQUIRIES = (56.1, 27.2, 10.6, 4.2, 1.2, 0.45, 0.14, 0.02, 0.014, 0.006)
COLLECTIONS = (98.67, 1.25, 0.07, 0.01)
LATE_NOW = (99.54, 0.43, 0.025, 0.005)
OPEN_LINES: Quantiles = (_LONG_TAIL, (1.0, 4.0, 8.0, 11.0, 14.0, 22.0, 29.0, 50.0, 90.0))
LINES_EVER: Quantiles = (_LONG_TAIL, (1.0, 7.0, 17.0, 24.0, 32.0, 48.0, 61.0, 95.0, 169.0))
CREDIT_AGE: Quantiles = (_USUAL, (37.0, 45.0, 132.0, 179.0, 251.0, 374.0, 460.0, 760.0))
REVOLVING: Quantiles = (
    _LONG_TAIL,
    (0.0, 250.0, 6_443.0, 11_875.0, 20_829.0, 43_500.0, 95_000.0, 380_000.0, 1_750_000.0),
)
REVOLVING_USED: Quantiles = (_LONG_TAIL, (0.0, 3.5, 37.7, 56.0, 73.6, 92.0, 97.8, 104.0, 160.0))
ALL_DEBTS: Quantiles = (
    _LONG_TAIL,
    (0.0, 3_000.0, 24_500.0, 77_000.0, 208_205.0, 430_000.0, 690_000.0, 1_700_000.0, 4_500_000.0),
)
COLLECTED: Quantiles = (_LONG_TAIL, (10.0, 40.0, 150.0, 420.0, 1_050.0, 4_500.0, 14_000.0, 60_000.0, 200_000.0))

OPENED_6M: Quantiles = (_LONG_TAIL, (0.0, 0.0, 0.6, 1.3, 2.2, 4.0, 6.0, 10.0, 14.0))
IL_IN_USE: Quantiles = (_LONG_TAIL, (0.0, 0.0, 1.2, 2.4, 4.1, 9.0, 15.0, 30.0, 40.0))
IL_OPENED: Quantiles = (_LONG_TAIL, (0.0, 0.0, 0.6, 1.6, 2.7, 5.5, 8.0, 15.0, 19.0))
SINCE_IL: Quantiles = (_LONG_TAIL, (0.0, 1.0, 6.5, 12.5, 23.5, 70.0, 150.0, 300.0, 363.0))
IL_DEBTS: Quantiles = (
    _LONG_TAIL,
    (0.0, 0.0, 10_251.0, 24_684.0, 47_858.0, 113_000.0, 205_000.0, 500_000.0, 878_459.0),
)
IL_USED: Quantiles = (_LONG_TAIL, (0.0, 12.0, 58.6, 74.9, 87.6, 101.0, 115.0, 180.0, 223.3))
RV_OPENED: Quantiles = (_LONG_TAIL, (0.0, 0.0, 1.3, 2.5, 4.3, 8.5, 12.5, 22.0, 43.0))
LARGEST_CARD: Quantiles = (
    _LONG_TAIL,
    (0.0, 120.0, 2_411.0, 4_483.0, 7_771.0, 15_400.0, 25_500.0, 60_000.0, 127_305.0),
)
ALL_USED: Quantiles = (_LONG_TAIL, (0.0, 13.0, 47.7, 61.9, 75.2, 91.5, 99.5, 120.0, 151.4))
INQUIRIES_FI = (54.0, 21.0, 12.0, 6.2, 3.2, 1.6, 0.9, 0.5, 0.25, 0.15, 0.1, 0.05, 0.03)
FINANCE_ACCOUNTS: Quantiles = (_LONG_TAIL, (0.0, 0.0, 0.1, 0.7, 2.1, 7.0, 12.0, 22.0, 35.0))
INQUIRIES_YEAR: Quantiles = (_LONG_TAIL, (0.0, 0.0, 0.6, 2.1, 3.2, 6.5, 10.0, 20.0, 32.0))
ODD_INQUIRIES = -4.0

RISK = (0.07, 0.0147)
"""Share of loans on which payment stops: that of A1, and how much more with each sub-grade."""
FIRST_MISSED: Quantiles = (_QUARTERS, (0.03, 0.31, 0.49, 0.7, 0.98))
"""The first payment missed, as part of the term."""
PREPAID: Quantiles = ((0.0, 0.045, 0.22, 0.46, 0.7, 0.85, 1.0), (0.5, 6.0, 17.8, 29.5, 42.0, 60.0, 75.0))
"""Payments after which a loan is paid back, if its term is not over by then."""
RECOVERED: Quantiles = ((0.0, 0.5, 0.9, 1.0), (0.005, 0.09, 0.25, 0.9))
"""Part of what was owed that is recovered."""

DESC_SHARE = (0.85, 0.8, 0.8, 0.76, 0.57, 0.5, 0.42, 0.06, 0.0001)
FORM_TITLE_SHARE = (0.0, 0.0, 0.0, 0.0, 0.02, 0.3, 0.6, 0.97, 0.998)
WHOLE_SHARE = (0.0, 0.0, 0.0, 0.0, 0.0, 0.12, 0.3, 0.5, 0.63)
"""By year from 2007: a loan has a description, the form's title, was offered whole."""

LONG_TERM = (0.03, 0.15, 0.33, 0.46, 0.74, 0.87, 0.9)
"""Share of loans over 60 months, by grade; there are none before May 2010."""

STATUSES = (
    *("Fully Paid", "Charged Off", "Current", "In Grace Period", "Late (16-30 days)", "Late (31-120 days)", "Default"),
    "Issued",
    "Does not meet the credit policy. Status:Fully Paid",
    "Does not meet the credit policy. Status:Charged Off",
)

PURPOSES: Mapping[str, int] = {
    "debt_consolidation": 524_215,
    "credit_card": 206_182,
    "home_improvement": 51_829,
    "other": 42_894,
    "major_purchase": 17_277,
    "small_business": 10_377,
    "car": 8_863,
    "medical": 8_540,
    "moving": 5_414,
    "vacation": 4_736,
    "house": 3_707,
    "wedding": 2_347,
    "renewable_energy": 575,
    "educational": 423,
}
PURPOSE_TITLES = (
    *("Debt consolidation", "Credit card refinancing", "Home improvement", "Other", "Major purchase", "Business"),
    *("Car financing", "Medical expenses", "Moving and relocation", "Vacation", "Home buying", "Wedding", "Green loan"),
    "Learning and training",
)
"""What the lender's form wrote as a title from 2014 on, by purpose."""

HOMES: Mapping[str, int] = {
    "MORTGAGE": 443_557,
    "RENT": 356_117,
    "OWN": 87_470,
    "OTHER": 182,
    "NONE": 50,
    "ANY": 3,
}
VERIFICATIONS: Mapping[str, int] = {"Source Verified": 329_558, "Verified": 291_071, "Not Verified": 266_750}
JOINT_VERIFICATIONS: Mapping[str, int] = {"Not Verified": 283, "Source Verified": 167, "Verified": 61}

EMPLOYED: Mapping[str, int] = {
    "10+ years": 291_569,
    "2 years": 78_870,
    "< 1 year": 70_605,
    "3 years": 70_026,
    "1 year": 57_095,
    "5 years": 55_704,
    "4 years": 52_529,
    "7 years": 44_594,
    "8 years": 43_955,
    "6 years": 42_950,
    "9 years": 34_657,
    "n/a": 44_825,
}

STATES: Mapping[str, tuple[int, int, int]] = {
    "CA": (129_517, 900, 961),
    "NY": (74_086, 100, 149),
    "TX": (71_138, 750, 799),
    "FL": (60_935, 320, 349),
    "IL": (35_476, 600, 629),
    "NJ": (33_256, 70, 89),
    "PA": (31_393, 150, 196),
    "OH": (29_631, 430, 458),
    "GA": (29_085, 300, 319),
    "VA": (26_255, 220, 246),
    "NC": (24_720, 270, 289),
    "MI": (22_985, 480, 499),
    "MD": (21_031, 206, 219),
    "MA": (20_593, 10, 27),
    "AZ": (20_412, 850, 865),
    "WA": (19_434, 980, 994),
    "CO": (18_807, 800, 816),
    "MN": (15_957, 550, 567),
    "MO": (14_207, 630, 658),
    "IN": (13_789, 460, 479),
    "CT": (13_531, 60, 69),
    "TN": (12_887, 370, 385),
    "NV": (12_443, 889, 898),
    "WI": (11_574, 530, 549),
    "AL": (11_200, 350, 369),
    "OR": (10_893, 970, 979),
    "SC": (10_639, 290, 299),
    "LA": (10_587, 700, 714),
    "KY": (8_550, 400, 427),
    "OK": (8_085, 730, 749),
    "KS": (7_926, 660, 679),
    "AR": (6_640, 716, 729),
    "UT": (6_264, 840, 847),
    "NM": (4_939, 870, 884),
    "HI": (4_570, 967, 968),
    "WV": (4_386, 247, 268),
    "NH": (4_294, 30, 38),
    "RI": (3_893, 28, 29),
    "MS": (3_819, 386, 397),
    "MT": (2_558, 590, 599),
    "DE": (2_511, 197, 199),
    "DC": (2_432, 200, 205),
    "AK": (2_205, 995, 999),
    "WY": (2_028, 820, 831),
    "SD": (1_815, 570, 577),
    "VT": (1_797, 50, 59),
    "NE": (1_176, 680, 693),
    "ME": (525, 39, 49),
    "ND": (479, 580, 588),
    "IA": (14, 500, 528),
    "ID": (12, 832, 838),
}
"""State → loans, and the first and last three digits of its ZIP codes."""

JOBS = (
    *("Teacher", "Manager", "Registered Nurse", "Owner", "RN", "Supervisor", "Sales", "Project Manager", "Driver"),
    *("Office Manager", "Director", "General Manager", "manager", "teacher", "owner", "truck driver", "Engineer"),
    *(
        "President",
        "Vice President",
        "Attorney",
        "Accountant",
        "Administrative Assistant",
        "Analyst",
        "Server",
        "Nurse",
    ),
    *("Police Officer", "Operations Manager", "Store Manager", "Technician", "Mechanic", "Electrician", "Cashier"),
)
"""Frequent titles of work, the most frequent first."""
JOB_FRONTS = ("{rank} {field} ", "{field} ", "{field} & {field} ", "{rank} ", "{field}/{field} ", "{rank} {place} ")
JOB_BACKS = (
    *("{job}", "{job}", "{job} ", "{job} II", "{job} ({field})", "{job}, {field}", "{job} - {place}", "{job} {number}"),
    *("{job}", '{job} "{rank}"', "{job} at {name}"),
)
EMPLOYERS = (
    *("US Army", "City of {place}", "US Postal Service", "{place} County", "self employed", "University of {place}"),
    *("US Navy", "State of {place}", "Bank of {place}", "{place} Public Schools", "USPS", "{place} police dept "),
)
EMPLOYER_FRONTS = (
    *(
        "{name} ",
        "{place} ",
        "{name} & {name} ",
        "{name}'s ",
        "The {place} ",
        "{name}, {name} & {name} ",
        "st. {name} ",
    ),
    *("{place} {name} ", "MadÃ©lon {name} "),
)
EMPLOYER_BACKS = (
    *("{trade}", "{trade} Inc.", "{trade}, LLC", "{trade} Corporation", "{trade} Group ", "{trade} & {trade}", "Café"),
    *("medical center", "School District ", '"{trade}" co', "Brothers", "{trade} of {place}"),
)
TITLE_FRONTS = (
    *(
        "Debt Consolidation ",
        "consolidation ",
        "Credit Card ",
        "my ",
        "Loan for ",
        "{name} ",
        "Payoff ",
        "Fresh start ",
    ),
    *("New ", "{number} ", "Home ", "personal ", " debt ", "{name}'s ", "{thing}, ", "{name} {place} ", "{place} "),
    *("{place} {thing} ", "{name} & {name} ", "{number} {thing} "),
)
TITLE_BACKS = (
    *(
        "Loan",
        "Loan",
        "loan ",
        "",
        "consolidation",
        "{thing}",
        "{thing} loan",
        "payoff",
        "{number}",
        "& {thing}",
        "plan",
    ),
    *("{place} {thing}", '"{thing}"', "of {number} cards ", "{thing} & {thing}", "for {name} ", "{thing} {number}"),
)
DESC_PARTS = (
    *("I plan to pay off {number} cards with rates above 20%. ", "This loan is for {thing} and nothing else. "),
    *("My job at a {field} company is very stable. ", "I have never been late with a payment. ", "Thank you! "),
    *("We want one payment a month instead of {number}. ", "My budget leaves ${number}00 after all bills. "),
    *("The rest goes into {thing}, which can&apos;t wait. ", "I&#39;ve lived in {place} for {number} years. "),
    *("Rent &amp; utilities are shared with my family. ", "Income > expenses every month.<br><br>", "Need {thing}. "),
    *('My employer calls it a "{field} {job}" position. ', "I work in {place} as a {job}, and my wife does too. "),
    *("I am a {rank} {job} with {number} years of experience. ", "The old {thing} broke down last winter. "),
    *(
        "Please ask if anything is unclear.<br>",
        "I closed {number} accounts this year.&nbsp; ",
        "It\x92s a safe loan. ",
    ),
)

WORDS: Mapping[str, Sequence[str]] = {
    "place": (
        *(
            "Ashford",
            "Brookhaven",
            "Cedar Falls",
            "Dunmore",
            "Eastlake",
            "Fairview",
            "Glenwood",
            "Hillsboro",
            "Irvington",
        ),
        *(
            "Jamestown",
            "Kingsport",
            "Lakewood",
            "Maplewood",
            "Northfield",
            "Oakdale",
            "Pine Bluff",
            "Quincy",
            "Riverside",
        ),
        *(
            "Springdale",
            "Troy",
            "Union",
            "Vernon",
            "Westbrook",
            "York",
            "Zanesville",
            "Clay",
            "Adams",
            "Monroe",
            "Salem",
        ),
    ),
    "name": (
        *("Abbott", "Baker", "Carver", "Dalton", "Ellis", "Foster", "Garner", "Holt", "Ingram", "Jensen", "Keller"),
        *("Lang", "Mercer", "Nolan", "Ortiz", "Parker", "Quinn", "Reyes", "Sutton", "Tran", "Underhill", "Vargas"),
        *("Walsh", "Young", "Zamora", "O'Neil", "Peña", "Müller"),
    ),
    "trade": (
        *(
            "Insurance",
            "Logistics",
            "construction",
            "Healthcare",
            "Foods",
            "Motors",
            "Software",
            "Engineering",
            "Dental",
        ),
        *("Plumbing", "electric", "Consulting", "Hotels", "Pharmacy", "Landscaping", "Security", "Airlines", "Realty"),
    ),
    "rank": (
        "Senior",
        "Lead",
        "Assistant",
        "Chief",
        "Junior",
        "Sr.",
        "Regional",
        "Deputy",
        "Head",
        "Associate",
        "Night",
    ),
    "job": (
        *("technician", "Analyst", "manager", "Nurse", "Operator", "clerk", "Engineer", "Administrator", "Specialist"),
        *(
            "Coordinator",
            "driver",
            "Accountant",
            "Consultant",
            "Mechanic",
            "Officer",
            "Teacher",
            "Assistant",
            "Developer",
        ),
        *("Supervisor", "Therapist", "Designer", "Inspector", "Representative", "Welder", "Planner", "Attendant"),
    ),
    "field": (
        *(
            "Sales",
            "IT",
            "Claims",
            "Payroll",
            "Warehouse",
            "Marketing",
            "Network",
            "Maintenance",
            "Production",
            "Quality",
        ),
        *(
            "Finance",
            "Customer Service",
            "HR",
            "Legal",
            "Purchasing",
            "Laboratory",
            "Facilities",
            "Training",
            "Billing",
        ),
        *(
            "Operations",
            "Research",
            "Safety",
            "Data",
            "Transit",
            "Kitchen",
            "Surgical",
            "Tax",
            "Field",
            "Fleet",
            "Store",
        ),
    ),
    "thing": (
        *(
            "car",
            "roof",
            "wedding",
            "ring",
            "kitchen",
            "motorcycle",
            "boat",
            "pool",
            "medical bills",
            "taxes",
            "school",
        ),
        *("vacation", "business", "baby", "windows", "furniture", "truck", "fence", "dental work", "moving", "heating"),
    ),
    "number": tuple(str(number) for number in range(2, 30)),
}
