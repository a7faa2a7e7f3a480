"""The samples look like the published files: columns, formats, null shares, value sets, ranges, quirks.

The figures below are those of the published files at full size; nothing here reads them.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from typing import Any

import openpyxl
import polars as pl
import pytest

from nequi_lake.samples import cite_sum, credit_risk, electric_motor

SEED = 7
SCALE = 0.05
Sample = Callable[[float, int], Mapping[str, Iterator[bytes]]]

SAMPLES: dict[str, tuple[Sample, set[str]]] = {
    "electric_motor": (electric_motor.sample, {"measures_v2.csv"}),
    "cite_sum": (cite_sum.sample, {"train.json", "validation.json", "test.json"}),
    "credit_risk": (credit_risk.sample, {"loan.csv", "LCDataDictionary.xlsx"}),
}

every_sample = pytest.mark.parametrize("name", SAMPLES)


def files(sample: Sample, scale: float, seed: int) -> dict[str, bytes]:
    return {name: b"".join(chunks) for name, chunks in sample(scale, seed).items()}


def shares(values: pl.Series) -> dict[Any, float]:
    return {value: count / len(values) for value, count in values.drop_nulls().value_counts().iter_rows()}


@every_sample
def test_files_are_the_publishers(name: str) -> None:
    sample, names = SAMPLES[name]
    assert set(sample(0.01, SEED)) == names


@every_sample
def test_same_scale_and_seed_give_the_same_bytes(name: str) -> None:
    sample, _ = SAMPLES[name]
    assert files(sample, 0.01, SEED) == files(sample, 0.01, SEED)


@every_sample
def test_another_seed_gives_other_bytes(name: str) -> None:
    sample, names = SAMPLES[name]
    ones, others = files(sample, 0.01, SEED), files(sample, 0.01, SEED + 1)
    for file in names - {"LCDataDictionary.xlsx"}:
        assert hashlib.sha256(ones[file]).digest() != hashlib.sha256(others[file]).digest()


@every_sample
def test_chunks_stay_small_at_any_scale(name: str) -> None:
    sample, _ = SAMPLES[name]
    for chunks in sample(100.0, SEED).values():
        for chunk in itertools.islice(chunks, 3):
            assert len(chunk) < 16_000_000


@every_sample
def test_every_chunk_ends_with_a_record(name: str) -> None:
    sample, names = SAMPLES[name]
    for file in names - {"LCDataDictionary.xlsx"}:
        assert all(chunk.endswith(b"\n") for chunk in sample(0.03, SEED)[file])


MOTOR_QUARTILES = {
    "u_q": (-25.290929794311523, 12.069924831390383, 48.938180923461914, 90.03439290099016, 133.0369935103849),
    "coolant": (10.623751273643387, 18.69813537597656, 26.90014082914239, 49.857486923515886, 101.59851208096164),
    "stator_winding": (18.5858154296875, 42.787956907960954, 65.11012887949082, 88.14113714379147, 141.36288452148438),
    "u_d": (-131.53041076660156, -78.69090406457892, -7.429754544163284, 1.4702705442905426, 131.46978759765625),
    "stator_tooth": (18.133975982666016, 38.41601181030274, 56.036345494262854, 75.58668178953778, 111.94642341392526),
    "motor_speed": (-275.54914411131955, 317.1106647331166, 1999.9766845703125, 3760.6390583028074, 6000.01513671875),
    "i_d": (-278.0036315917969, -115.40605996337631, -51.09376297213717, -2.979688167572021, 0.0518967024981975),
    "i_q": (-293.426792941564, 1.0958628470303227, 15.774006843566896, 100.6121495121055, 301.7078552246094),
    "pm": (20.856956481933597, 43.15158201322102, 60.26628701504853, 72.00837107800413, 113.60662841796876),
    "stator_yoke": (18.07668876647949, 31.99033308029175, 45.62550942123822, 61.460827633781825, 101.14796436478986),
    "ambient": (8.78347834400473, 23.18480443954468, 24.79732676998298, 26.217019039334527, 30.714204788208008),
    "torque": (-246.46666318909087, -0.1374265290796756, 10.860353946685791, 91.59717576635957, 261.0057067871094),
}
MOTOR_HEADER = (
    "u_q,coolant,stator_winding,u_d,stator_tooth,motor_speed,i_d,i_q,pm,stator_yoke,ambient,torque,profile_id"
)


@pytest.fixture(scope="module")
def motor_text() -> bytes:
    return files(electric_motor.sample, 0.3, SEED)["measures_v2.csv"]


@pytest.fixture(scope="module")
def motor(motor_text: bytes) -> pl.DataFrame:
    return pl.read_csv(motor_text, schema=dict.fromkeys(MOTOR_QUARTILES, pl.Float64()) | {"profile_id": pl.Int64()})


def test_motor_header(motor_text: bytes) -> None:
    assert motor_text.partition(b"\n")[0].decode() == MOTOR_HEADER


def test_motor_has_as_many_rows_as_its_scale_says_and_no_nulls(motor: pl.DataFrame) -> None:
    assert motor.height == round(0.3 * 1_330_816)
    assert motor.null_count().sum_horizontal().item() == 0


def test_motor_numbers_have_the_publishers_digits(motor_text: bytes) -> None:
    values = [value for line in motor_text.splitlines()[1:3_000] for value in line.decode().split(",")[:-1]]
    digits = [len(value.lstrip("-0.").replace(".", "")) for value in values if "e" not in value]
    assert max(digits) <= 16
    assert sum(count >= 13 for count in digits) > 0.9 * len(digits)


def test_motor_sessions_are_blocks_out_of_order(motor: pl.DataFrame) -> None:
    blocks = motor["profile_id"].rle().struct.unnest()
    profiles = blocks["value"].to_list()
    assert profiles[0] == 17
    assert len(profiles) == len(set(profiles)) == round(0.3 * 69)
    assert profiles != sorted(profiles)
    assert min(profiles) >= 2
    assert max(profiles) <= 81


@pytest.mark.parametrize("seed", range(4))
def test_motor_sessions_are_as_long_as_the_publishers(seed: int) -> None:
    _, *sessions = electric_motor.sample(SCALE, seed)["measures_v2.csv"]
    lengths = [session.count(b"\n") for session in sessions]
    assert len(lengths) == 4
    assert sum(lengths) == round(SCALE * 1_330_816)
    assert min(lengths) > 2_000
    assert max(lengths) < 44_000


def test_motor_has_69_sessions_at_full_size_with_gaps_in_their_numbers() -> None:
    assert len(set(electric_motor.PROFILES)) == 69
    assert (min(electric_motor.PROFILES), max(electric_motor.PROFILES)) == (2, 81)


def test_motor_sessions_beyond_full_size_have_numbers_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(electric_motor, "FULL_ROWS", 6_900)
    _, *sessions = electric_motor.sample(2.5, SEED)["measures_v2.csv"]
    profiles = [int(session[: session.index(b"\n")].rpartition(b",")[2]) for session in sessions]
    assert len(profiles) == len(set(profiles)) == round(2.5 * 69)
    assert profiles[69] == 117


@pytest.mark.parametrize("signal", MOTOR_QUARTILES)
def test_motor_signal_lies_where_the_publishers_does(motor: pl.DataFrame, signal: str) -> None:
    values, (lowest, *quartiles, highest) = motor[signal], MOTOR_QUARTILES[signal]
    assert values.min() >= lowest  # type: ignore[operator]
    assert values.max() <= highest  # type: ignore[operator]
    for share, expected in zip((0.25, 0.5, 0.75), quartiles, strict=True):
        assert values.quantile(share) == pytest.approx(expected, abs=0.15 * (highest - lowest))


def test_motor_signals_are_smooth(motor: pl.DataFrame) -> None:
    session = motor.filter(pl.col("profile_id") == 17)
    for signal in ("motor_speed", "torque", "stator_winding", "pm", "coolant"):
        step = session[signal].diff().abs().mean()
        assert step < 0.1 * session[signal].std()  # type: ignore[operator]


def test_motor_warms_up_with_its_load(motor: pl.DataFrame) -> None:
    rise = pl.col("stator_winding") - pl.col("coolant")
    load = (pl.col("i_d") ** 2 + pl.col("i_q") ** 2).ewm_mean(com=450)
    assert motor.select(pl.corr(rise, load)).item() > 0.6


@pytest.fixture(scope="module")
def papers_text() -> dict[str, bytes]:
    return files(cite_sum.sample, SCALE, SEED)


@pytest.fixture(scope="module")
def citations(papers_text: dict[str, bytes]) -> dict[str, list[dict[str, Any]]]:
    return {name: [json.loads(line) for line in text.splitlines()] for name, text in papers_text.items()}


@pytest.fixture(scope="module")
def train(citations: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    return citations["train.json"]


def test_citations_are_as_many_as_the_scale_says(citations: dict[str, list[dict[str, Any]]]) -> None:
    counts = {name: len(lines) for name, lines in citations.items()}
    assert counts == {"train.json": 4_165, "validation.json": 236, "test.json": 246}


def test_citations_are_spaced_and_escaped_like_the_publishers(papers_text: dict[str, bytes]) -> None:
    for line in papers_text["train.json"].decode().splitlines():
        assert json.dumps(json.loads(line), ensure_ascii=False) == line


def test_citations_have_the_publishers_keys_in_order(train: list[dict[str, Any]]) -> None:
    for line in train:
        assert list(line) == ["src", "tgt", "paper_id", "title", "discipline"]
        if line["discipline"]:
            assert list(line["discipline"]) == ["venue", "journal", "mag_field_of_study"]


def test_citations_miss_what_the_publishers_miss(train: list[dict[str, Any]]) -> None:
    disciplines = [line["discipline"] or {"venue": None, "journal": None} for line in train]
    missing = {
        "title": sum(line["title"] is None for line in train),
        "discipline": sum(line["discipline"] is None for line in train),
        "venue": sum(discipline["venue"] is None for discipline in disciplines),
        "journal": sum(discipline["journal"] is None for discipline in disciplines),
        "src": sum(line["src"] is None for line in train),
        "tgt": sum(line["tgt"] is None for line in train),
    }
    expected = {"title": 0.0078, "discipline": 0.0179, "venue": 0.0623, "journal": 0.3541, "src": 0.0, "tgt": 0.0}
    assert {key: count / len(train) for key, count in missing.items()} == pytest.approx(expected, abs=0.01)


def test_fields_are_those_of_the_academic_graph(train: list[dict[str, Any]]) -> None:
    fields = Counter(tuple(line["discipline"]["mag_field_of_study"]) for line in train if line["discipline"])
    assert fields[("Computer Science",)] / len(train) == pytest.approx(54_086 / 83_304, abs=0.01)
    assert {len(names) for names in fields} == {1, 2, 3, 4, 5}
    assert all(len(names) == len(set(names)) for names in fields)
    assert {name for names in fields for name in names} <= set(cite_sum.FIELDS)
    assert len(set(cite_sum.FIELDS)) == 19


def test_a_repeated_paper_is_the_same_each_time(citations: dict[str, list[dict[str, Any]]]) -> None:
    papers: dict[str, set[str]] = {}
    for line in itertools.chain.from_iterable(citations.values()):
        papers.setdefault(line["paper_id"], set()).add(json.dumps([line["src"], line["title"], line["discipline"]]))
    assert all(len(versions) == 1 for versions in papers.values())
    assert len({version for versions in papers.values() for version in versions}) == len(papers)


def test_papers_repeat_across_splits(citations: dict[str, list[dict[str, Any]]]) -> None:
    train, test = ({line["paper_id"] for line in citations[name]} for name in ("train.json", "test.json"))
    assert train & test
    assert test - train


def test_papers_repeat_as_often_as_the_publishers() -> None:
    train = files(cite_sum.sample, 1.0, SEED)["train.json"]
    repeats = Counter(re.findall(rb'"paper_id": "(\d+)"', train))
    assert repeats.total() == 83_304
    assert len(repeats) == 50_490
    assert max(repeats.values()) == 214
    assert Counter(map(len, repeats)).keys() == {4, 5, 6, 7, 8, 9}


def test_citing_sentences_are_mostly_distinct_and_say_ref(train: list[dict[str, Any]]) -> None:
    sentences = [line["tgt"] for line in train]
    assert all("REF" in sentence for sentence in sentences)
    assert len(set(sentences)) / len(sentences) == pytest.approx(80_397 / 83_304, abs=0.02)
    assert len(set(sentences)) < len(sentences)


def test_abstracts_are_long_and_hold_what_json_escapes(papers_text: dict[str, bytes]) -> None:
    lines = papers_text["train.json"].decode().splitlines()
    lengths = [len(json.loads(line)["src"]) for line in lines]
    assert 900 < sum(lengths) / len(lengths) < 1_600
    for quirk in ('\\"', "\\\\", "\u2019", "\u2013", "\u03b1"):
        assert any(quirk in line for line in lines)


LOAN_ROWS = 887_379
LOAN_HEADER = (
    "id,member_id,loan_amnt,funded_amnt,funded_amnt_inv,term,int_rate,installment,grade,sub_grade,emp_title,emp_length,"
    "home_ownership,annual_inc,verification_status,issue_d,loan_status,pymnt_plan,url,desc,purpose,title,zip_code,"
    "addr_state,dti,delinq_2yrs,earliest_cr_line,inq_last_6mths,mths_since_last_delinq,mths_since_last_record,open_acc,"
    "pub_rec,revol_bal,revol_util,total_acc,initial_list_status,out_prncp,out_prncp_inv,total_pymnt,total_pymnt_inv,"
    "total_rec_prncp,total_rec_int,total_rec_late_fee,recoveries,collection_recovery_fee,last_pymnt_d,last_pymnt_amnt,"
    "next_pymnt_d,last_credit_pull_d,collections_12_mths_ex_med,mths_since_last_major_derog,policy_code,"
    "application_type,annual_inc_joint,dti_joint,verification_status_joint,acc_now_delinq,tot_coll_amt,tot_cur_bal,"
    "open_acc_6m,open_il_6m,open_il_12m,open_il_24m,mths_since_rcnt_il,total_bal_il,il_util,open_rv_12m,open_rv_24m,"
    "max_bal_bc,all_util,total_rev_hi_lim,inq_fi,total_cu_tl,inq_last_12m"
)
RECENT = (
    *("open_acc_6m", "open_il_6m", "open_il_12m", "open_il_24m", "total_bal_il", "open_rv_12m", "open_rv_24m"),
    *("max_bal_bc", "all_util", "inq_fi", "total_cu_tl", "inq_last_12m"),
)
LOANS_MISSING = {
    **dict.fromkeys(RECENT, 866_007),
    **dict.fromkeys(("tot_coll_amt", "tot_cur_bal", "total_rev_hi_lim"), 70_276),
    **dict.fromkeys(("delinq_2yrs", "earliest_cr_line", "inq_last_6mths", "open_acc", "pub_rec", "total_acc"), 29),
    **dict.fromkeys(("annual_inc_joint", "verification_status_joint"), 886_868),
    "acc_now_delinq": 29,
    "annual_inc": 4,
    "emp_title": 51_462,
    "desc": 761_351,
    "title": 152,
    "mths_since_last_delinq": 454_312,
    "mths_since_last_record": 750_326,
    "revol_util": 502,
    "last_pymnt_d": 17_659,
    "next_pymnt_d": 252_971,
    "last_credit_pull_d": 53,
    "collections_12_mths_ex_med": 145,
    "mths_since_last_major_derog": 665_676,
    "dti_joint": 886_870,
    "mths_since_rcnt_il": 866_569,
    "il_util": 868_762,
}
"""Column → loans of the full file without a value; no other column misses any."""

LOAN_QUARTILES = {
    "loan_amnt": (500.0, 8_000.0, 13_000.0, 20_000.0, 35_000.0),
    "funded_amnt": (500.0, 8_000.0, 13_000.0, 20_000.0, 35_000.0),
    "funded_amnt_inv": (0.0, 8_000.0, 13_000.0, 20_000.0, 35_000.0),
    "int_rate": (5.32, 9.99, 12.99, 16.2, 28.99),
    "installment": (15.67, 260.705, 382.55, 572.6, 1_445.46),
    "annual_inc": (0.0, 45_000.0, 65_000.0, 90_000.0, 9_500_000.0),
    "dti": (0.0, 11.91, 17.65, 23.95, 9_999.0),
    "delinq_2yrs": (0.0, 0.0, 0.0, 0.0, 39.0),
    "inq_last_6mths": (0.0, 0.0, 0.0, 1.0, 33.0),
    "mths_since_last_delinq": (0.0, 15.0, 31.0, 50.0, 188.0),
    "mths_since_last_record": (0.0, 51.0, 70.0, 92.0, 129.0),
    "open_acc": (0.0, 8.0, 11.0, 14.0, 90.0),
    "pub_rec": (0.0, 0.0, 0.0, 0.0, 86.0),
    "revol_bal": (0.0, 6_443.0, 11_875.0, 20_829.0, 2_904_836.0),
    "revol_util": (0.0, 37.7, 56.0, 73.6, 892.3),
    "total_acc": (1.0, 17.0, 24.0, 32.0, 169.0),
    "out_prncp": (0.0, 0.0, 6_458.29, 13_659.055, 49_372.86),
    "total_pymnt": (0.0, 1_914.59, 4_894.99911726, 10_616.81423095, 57_777.5798702),
    "total_rec_prncp": (0.0, 1_200.57, 3_215.32, 8_000.0, 35_000.03),
    "total_rec_int": (0.0, 441.46, 1_073.28, 2_238.265, 24_205.62),
    "total_rec_late_fee": (0.0, 0.0, 0.0, 0.0, 358.68),
    "recoveries": (0.0, 0.0, 0.0, 0.0, 33_520.27),
    "collection_recovery_fee": (0.0, 0.0, 0.0, 0.0, 7_002.19),
    "last_pymnt_amnt": (0.0, 280.17, 462.78, 831.245, 36_475.59),
    "collections_12_mths_ex_med": (0.0, 0.0, 0.0, 0.0, 20.0),
    "mths_since_last_major_derog": (0.0, 27.0, 44.0, 61.0, 188.0),
    "policy_code": (1.0, 1.0, 1.0, 1.0, 1.0),
    "acc_now_delinq": (0.0, 0.0, 0.0, 0.0, 14.0),
    "tot_coll_amt": (0.0, 0.0, 0.0, 0.0, 9_152_545.0),
    "tot_cur_bal": (0.0, 29_853.0, 80_559.0, 208_205.0, 8_000_078.0),
    "open_acc_6m": (0.0, 0.0, 1.0, 2.0, 14.0),
    "open_il_6m": (0.0, 1.0, 2.0, 4.0, 40.0),
    "open_il_12m": (0.0, 0.0, 0.0, 1.0, 12.0),
    "open_il_24m": (0.0, 0.0, 1.0, 2.0, 19.0),
    "mths_since_rcnt_il": (0.0, 6.0, 12.0, 23.0, 363.0),
    "total_bal_il": (0.0, 10_251.5, 24_684.5, 47_858.0, 878_459.0),
    "il_util": (0.0, 58.6, 74.9, 87.6, 223.3),
    "open_rv_12m": (0.0, 0.0, 1.0, 2.0, 22.0),
    "open_rv_24m": (0.0, 1.0, 2.0, 4.0, 43.0),
    "max_bal_bc": (0.0, 2_411.0, 4_483.0, 7_771.5, 127_305.0),
    "all_util": (0.0, 47.7, 61.9, 75.2, 151.4),
    "total_rev_hi_lim": (0.0, 13_900.0, 23_700.0, 39_800.0, 9_999_999.0),
    "inq_fi": (0.0, 0.0, 0.0, 1.0, 17.0),
    "total_cu_tl": (0.0, 0.0, 0.0, 2.0, 35.0),
    "inq_last_12m": (-4.0, 0.0, 2.0, 3.0, 32.0),
}
"""Column → lowest value, quartiles, highest value of the full file."""

LOAN_VALUES: dict[str, dict[str, int]] = {
    "loan_status": {
        "Current": 601_779,
        "Fully Paid": 207_723,
        "Charged Off": 45_248,
        "Late (31-120 days)": 11_591,
        "Issued": 8_460,
        "In Grace Period": 6_253,
        "Late (16-30 days)": 2_357,
        "Does not meet the credit policy. Status:Fully Paid": 1_988,
        "Default": 1_219,
        "Does not meet the credit policy. Status:Charged Off": 761,
    },
    "term": {" 36 months": 621_125, " 60 months": 266_254},
    "grade": {"A": 148_202, "B": 254_535, "C": 245_860, "D": 139_542, "E": 70_705, "F": 23_046, "G": 5_489},
    "home_ownership": {"MORTGAGE": 443_557, "RENT": 356_117, "OWN": 87_470, "OTHER": 182, "NONE": 50, "ANY": 3},
    "verification_status": {"Source Verified": 329_558, "Verified": 291_071, "Not Verified": 266_750},
    "pymnt_plan": {"n": 887_369, "y": 10},
    "initial_list_status": {"f": 456_848, "w": 430_531},
    "application_type": {"INDIVIDUAL": 886_868, "JOINT": 511},
    "emp_length": {
        **{"10+ years": 291_569, "2 years": 78_870, "< 1 year": 70_605, "3 years": 70_026, "1 year": 57_095},
        **{"5 years": 55_704, "4 years": 52_529, "7 years": 44_594, "8 years": 43_955, "6 years": 42_950},
        **{"9 years": 34_657, "n/a": 44_825},
    },
    "purpose": {
        **{"debt_consolidation": 524_215, "credit_card": 206_182, "home_improvement": 51_829, "other": 42_894},
        **{"major_purchase": 17_277, "small_business": 10_377, "car": 8_863, "medical": 8_540, "moving": 5_414},
        **{"vacation": 4_736, "house": 3_707, "wedding": 2_347, "renewable_energy": 575, "educational": 423},
    },
}
"""Column → value → loans of the full file."""


@pytest.fixture(scope="module")
def loan_files() -> dict[str, bytes]:
    return files(credit_risk.sample, SCALE, SEED)


@pytest.fixture(scope="module")
def raw_loans(loan_files: dict[str, bytes]) -> pl.DataFrame:
    return pl.read_csv(loan_files["loan.csv"], infer_schema=False)


@pytest.fixture(scope="module")
def loans(raw_loans: pl.DataFrame) -> pl.DataFrame:
    numbers = [*LOAN_QUARTILES, "id", "member_id", "total_pymnt_inv", "out_prncp_inv", "annual_inc_joint", "dti_joint"]
    dates = ("issue_d", "earliest_cr_line", "last_pymnt_d", "next_pymnt_d", "last_credit_pull_d")
    return raw_loans.with_columns(pl.col(numbers).cast(pl.Float64)).with_columns(
        pl.col(dates).str.to_date("%b-%Y", strict=True)
    )


def test_loans_header(loan_files: dict[str, bytes]) -> None:
    assert loan_files["loan.csv"].partition(b"\n")[0].decode() == LOAN_HEADER


def test_loans_are_as_many_as_the_scale_says(raw_loans: pl.DataFrame, loan_files: dict[str, bytes]) -> None:
    assert raw_loans.height == round(SCALE * LOAN_ROWS)
    # No field of the full file spans lines.
    assert loan_files["loan.csv"].count(b"\n") == raw_loans.height + 1


@pytest.mark.parametrize("column", LOAN_HEADER.split(","))
def test_loans_miss_what_the_publishers_miss(raw_loans: pl.DataFrame, column: str) -> None:
    missing = raw_loans[column].null_count() / raw_loans.height
    assert missing == pytest.approx(LOANS_MISSING.get(column, 0) / LOAN_ROWS, abs=0.01)
    assert (missing == 0.0) or column in LOANS_MISSING


@pytest.mark.parametrize(
    "columns",
    [RECENT, ("tot_coll_amt", "tot_cur_bal", "total_rev_hi_lim"), ("annual_inc_joint", "verification_status_joint")],
)
def test_columns_of_one_source_are_missing_together(raw_loans: pl.DataFrame, columns: tuple[str, ...]) -> None:
    missing = raw_loans.select(pl.sum_horizontal(pl.col(columns).is_null())).to_series()
    assert set(missing.unique().to_list()) == {0, len(columns)}


@pytest.mark.parametrize("column", LOAN_VALUES)
def test_loans_have_the_publishers_values(raw_loans: pl.DataFrame, column: str) -> None:
    expected = {value: count / LOAN_ROWS for value, count in LOAN_VALUES[column].items()}
    found = shares(raw_loans[column])
    assert found.keys() <= expected.keys()
    for value, share in expected.items():
        assert found.get(value, 0.0) == pytest.approx(share, abs=0.015)
        assert value in found or share < 0.0005


def test_loans_come_from_all_states_and_sub_grades(raw_loans: pl.DataFrame) -> None:
    assert raw_loans["sub_grade"].n_unique() == 35
    assert (raw_loans["sub_grade"].str.head(1) == raw_loans["grade"]).all()
    assert 47 <= raw_loans["addr_state"].n_unique() <= 51
    assert raw_loans["zip_code"].str.contains(r"^\d{3}xx$").all()
    assert raw_loans["zip_code"].mode().to_list() == ["945xx"]


@pytest.mark.parametrize("column", LOAN_QUARTILES)
def test_loan_figures_lie_where_the_publishers_do(loans: pl.DataFrame, column: str) -> None:
    values, (lowest, *quartiles, highest) = loans[column], LOAN_QUARTILES[column]
    assert values.min() >= lowest  # type: ignore[operator]
    assert values.max() <= highest  # type: ignore[operator]
    # Of the columns that few loans have, the sample has a thousand values: their quartiles vary more.
    part = 0.4 if values.count() < 5_000 else 0.2
    leeway = max(part * (quartiles[2] - quartiles[0]), 1.0 if highest < 500.0 else 0.0)
    for share, expected in zip((0.25, 0.5, 0.75), quartiles, strict=True):
        assert values.quantile(share) == pytest.approx(expected, abs=leeway)


def test_numbers_of_loans_and_members_are_unique(loans: pl.DataFrame) -> None:
    assert loans["id"].is_unique().all()
    assert loans["member_id"].is_unique().all()
    assert (loans["id"] != loans["member_id"]).all()
    assert loans["id"].is_between(54_734, 68_617_057).all()


def test_numbers_stay_unique_beyond_full_size() -> None:
    chunks = itertools.islice(credit_risk.sample(30.0, SEED)["loan.csv"], 1, 5)
    loans = pl.concat(pl.read_csv(chunk, has_header=False, infer_schema=False, columns=[0, 1]) for chunk in chunks)
    assert all(numbers.is_unique().all() for numbers in loans)


def test_loans_come_newest_first_in_four_parts(loans: pl.DataFrame) -> None:
    months = loans["issue_d"].rle().struct.field("value").to_list()
    assert len(months) == len(set(months)) == 103
    assert (min(months), max(months)) == (date(2007, 6, 1), date(2015, 12, 1))
    assert months[0] == date(2011, 12, 1)
    assert sum(later > earlier for earlier, later in itertools.pairwise(months)) == 3


def test_loans_grow_more_from_year_to_year(loans: pl.DataFrame) -> None:
    by_year = loans.group_by(pl.col("issue_d").dt.year()).len().sort("issue_d")["len"].to_list()
    assert by_year == sorted(by_year)
    assert by_year[-1] / loans.height == pytest.approx(421_093 / LOAN_ROWS, abs=0.001)


def test_installment_follows_from_amount_rate_and_term(loans: pl.DataFrame) -> None:
    monthly, term = pl.col("int_rate") / 1_200, pl.col("term").str.strip_chars().str.head(2).cast(pl.Float64)
    expected = pl.col("funded_amnt") * monthly / (1 - (1 + monthly) ** -term)
    assert loans.select((pl.col("installment") - expected).abs().max()).item() < 0.006


def test_rate_rises_with_sub_grade_and_so_do_losses(loans: pl.DataFrame) -> None:
    by_grade = loans.sort("grade").group_by("grade", maintain_order=True).agg(pl.col("int_rate").mean())["int_rate"]
    assert by_grade.is_sorted()
    finished = loans.filter(pl.col("issue_d") < date(2013, 1, 1))
    lost = finished.sort("grade").group_by("grade", maintain_order=True)
    rates = lost.agg(pl.col("loan_status").str.ends_with("Charged Off").mean())["loan_status"].to_list()
    assert rates[0] < rates[1] < min(rates[3], rates[4])


def test_payments_add_up(loans: pl.DataFrame) -> None:
    parts = pl.sum_horizontal("total_rec_prncp", "total_rec_int", "total_rec_late_fee", "recoveries")
    assert loans.select((pl.col("total_pymnt") - parts).abs().max()).item() < 0.0051
    open_loans = pl.col("out_prncp") > 0
    owed = (pl.col("funded_amnt") - pl.col("total_rec_prncp") - pl.col("out_prncp")).abs()
    assert loans.filter(open_loans).select(owed.max()).item() < 0.011


def test_amounts_are_in_order(loans: pl.DataFrame) -> None:
    assert (loans["funded_amnt"] <= loans["loan_amnt"]).all()
    assert (loans["funded_amnt_inv"] <= loans["funded_amnt"]).all()
    assert (loans["total_rec_prncp"] <= loans["funded_amnt"]).all()
    assert loans.filter(pl.col("open_acc") > pl.col("total_acc")).is_empty()
    assert loans.filter(pl.col("open_il_12m") > pl.col("open_il_24m")).is_empty()


def test_finished_loans_owe_nothing_and_expect_no_payment(loans: pl.DataFrame) -> None:
    finished = loans.filter(pl.col("loan_status").is_in(["Fully Paid", "Charged Off"]))
    assert (finished["out_prncp"] == 0).all()
    assert finished["next_pymnt_d"].null_count() == finished.height
    paid = loans.filter(pl.col("loan_status").str.ends_with("Fully Paid"))
    assert (paid["total_rec_prncp"] == paid["funded_amnt"]).all()
    running = loans.filter(pl.col("loan_status") == "Current")
    assert (running["out_prncp"] > 0).all()
    assert running["next_pymnt_d"].null_count() == 0
    assert (loans.filter(pl.col("recoveries") > 0)["loan_status"].str.ends_with("Charged Off")).all()


def test_months_are_in_order(loans: pl.DataFrame) -> None:
    assert loans.filter(pl.col("last_pymnt_d") < pl.col("issue_d")).is_empty()
    assert loans.filter(pl.col("earliest_cr_line") >= pl.col("issue_d")).is_empty()
    assert loans.filter(pl.col("last_credit_pull_d") < pl.col("issue_d")).is_empty()
    assert loans["last_pymnt_d"].max() == date(2016, 1, 1)
    assert loans["next_pymnt_d"].max() == date(2016, 2, 1)


def test_old_policy_loans_are_old(loans: pl.DataFrame) -> None:
    old = loans.filter(pl.col("loan_status").str.starts_with("Does not meet the credit policy. Status:"))
    assert old.height > 0
    assert (old["issue_d"] < date(2011, 1, 1)).all()


def test_loan_texts_have_the_publishers_quirks(raw_loans: pl.DataFrame, loan_files: dict[str, bytes]) -> None:
    desc, job, title = (raw_loans[column].drop_nulls() for column in ("desc", "emp_title", "title"))
    assert desc.str.contains(r"^  Borrower added on \d\d/\d\d/\d\d > .*<br>$").mean() > 0.9  # type: ignore[operator]
    for quirk in ("<br><br>", "&amp;", "&nbsp;", '"', "\x92"):
        assert desc.str.contains(quirk, literal=True).any()
    assert (desc == " ").any()
    for text in (job, title):
        assert text.str.ends_with(" ").any()
        assert text.str.contains(",", literal=True).any()
        assert text.str.contains('"', literal=True).any()
    assert job.str.contains(r"[^\x00-\x7f]").any()
    assert b'""' in loan_files["loan.csv"]
    assert raw_loans.filter(pl.col("emp_length") == "n/a")["emp_title"].null_count() > 0


def test_loan_numbers_are_written_like_the_publishers(raw_loans: pl.DataFrame) -> None:
    for column in ("loan_amnt", "open_acc", "delinq_2yrs", "revol_bal", "tot_cur_bal"):
        assert raw_loans[column].drop_nulls().str.contains(r"^\d+\.0$").all()
    for column in ("int_rate", "installment", "dti", "total_rec_int"):
        assert raw_loans[column].drop_nulls().str.contains(r"^\d+\.\d{1,2}$").all()
    assert raw_loans["total_pymnt"].str.contains(r"\.\d{5,}$").mean() > 0.15  # type: ignore[operator]
    assert raw_loans["url"].equals("https://www.lendingclub.com/browse/loanDetail.action?loan_id=" + raw_loans["id"])


def test_dictionary_describes_each_column(loan_files: dict[str, bytes]) -> None:
    sheet = openpyxl.load_workbook(io.BytesIO(loan_files["LCDataDictionary.xlsx"])).worksheets[0]
    title, *rows = sheet.iter_rows(values_only=True)
    assert title == ("LoanStatNew", "Description")
    assert sorted(str(name) for name, _ in rows) == sorted(LOAN_HEADER.split(","))
    assert all(isinstance(text, str) and len(text) > 10 for _, text in rows)
