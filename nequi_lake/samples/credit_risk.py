"""A stand-in for the LendingClub loans: same columns, formats, quirks, null shares and value sets; no real loan.

Each loan is issued in a month of the real calendar, and its payments follow from amount, rate, term and what became
of it up to the month the file was made. What is drawn is in ``_loan_facts``; what follows from it is computed here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
import polars as pl
import polars.selectors as cs

from nequi_lake.samples import _loan_facts as facts
from nequi_lake.samples._draw import (
    Draws,
    Flags,
    Floats,
    Ints,
    chunks,
    csv_lines,
    from_quantiles,
    rows_at,
    spread,
    stream,
    texts,
    written,
)
from nequi_lake.samples._workbook import workbook

DICTIONARY = facts.DICTIONARY
HEADER = tuple(DICTIONARY)
LEAST_ROWS = 10
CHUNK_ROWS = 16_000

_NONE = pl.Series([None], dtype=pl.String)
_NOTHING = pl.Series([""])
_GRADES = tuple(facts.SUB_GRADES)
_LONGEST = 60
_RATE_YEARS = tuple(facts.RATES)
_FIRST_YEAR = 1940

_FULLY_PAID, _CHARGED_OFF, _CURRENT, _GRACE, _LATE_16, _LATE_31, _DEFAULT, _ISSUED, _OLD_POLICY = range(9)
"""Positions in ``facts.STATUSES``; the old policy's two follow each other like the first two."""


def _month(year: int, month: int) -> int:
    """Months count from January 1940."""
    return (year - _FIRST_YEAR) * 12 + month - 1


_NOW = _month(*facts.SNAPSHOT)


def sample(scale: float, seed: int) -> Mapping[str, Iterator[bytes]]:
    """The raw files at ``scale`` times their full size: the same bytes for the same scale and seed.

    Returns:
        File name → chunks of the file of some megabytes, made as they are asked for.
    """
    return {"loan.csv": _loans(scale, seed), "LCDataDictionary.xlsx": _dictionary()}


def _dictionary() -> Iterator[bytes]:
    yield workbook("LoanStats", [("LoanStatNew", "Description"), *sorted(DICTIONARY.items())])


def _loans(scale: float, seed: int) -> Iterator[bytes]:
    yield (",".join(HEADER) + "\n").encode()
    rows = rows_at(scale, facts.FULL_ROWS, least=LEAST_ROWS)
    calendar, words = _Calendar.of(rows), _Words.of(stream(seed))
    for number, first, count in chunks(rows, CHUNK_ROWS):
        yield csv_lines(_chunk(Draws(stream(seed, number), count), calendar, words, first))


@dataclass(frozen=True)
class _Calendar:
    """Where in the file each month's loans are."""

    months: Ints
    """In the order of the file."""
    ends: Ints
    """The row after each month's last."""
    older: Ints
    """How many loans of the file are older than each month's."""

    @classmethod
    def of(cls, rows: int) -> _Calendar:
        months: list[int] = []
        counts: list[int] = []
        for first_year, last_year in facts.FILE_ORDER:
            for year in range(last_year, first_year - 1, -1):
                issued = facts.ISSUED[year]
                months += [_month(year, 12 - back) for back in range(len(issued))]
                counts += reversed(issued)
        ends = (np.cumsum(np.array(counts)) * rows + facts.FULL_ROWS // 2) // facts.FULL_ROWS
        in_file = np.diff(ends, prepend=0)
        by_age = np.argsort(months)
        older = np.empty_like(ends)
        older[by_age] = np.cumsum(in_file[by_age]) - in_file[by_age]
        return cls(np.array(months), ends, older)


@dataclass(frozen=True)
class _Words:
    """Texts of borrowers to draw from."""

    work: pl.Series
    """Frequent employers, then as many frequent titles of work; the next two are alike."""
    work_fronts: pl.Series
    work_backs: pl.Series
    title_fronts: pl.Series
    title_backs: pl.Series
    desc_parts: pl.Series

    @classmethod
    def of(cls, rng: np.random.Generator) -> _Words:
        def pool(templates: tuple[str, ...], count: int) -> pl.Series:
            return pl.Series(written(templates, facts.WORDS, count, rng))

        return cls(
            work=pool(facts.EMPLOYERS, len(facts.JOBS)).append(pl.Series(facts.JOBS)),
            work_fronts=pool(facts.EMPLOYER_FRONTS, 1_000).append(pool(facts.JOB_FRONTS, 1_000)),
            work_backs=pool(facts.EMPLOYER_BACKS, 1_000).append(pool(facts.JOB_BACKS, 1_000)),
            title_fronts=pool(facts.TITLE_FRONTS, 1_500),
            title_backs=pool(facts.TITLE_BACKS, 1_500),
            desc_parts=pool(facts.DESC_PARTS, 2_000),
        )


@dataclass(frozen=True)
class _Loans:
    """What was agreed. Amounts in USD, months counted from January 1940."""

    number: Ints
    """Loans of the file that are older."""
    month: Ints
    requested: Floats
    funded: Floats
    invested: Floats
    term: Ints
    sub_grade: Ints
    rate_row: Ints
    installment: Floats
    """To the last digit, as the lender computes with it."""

    @property
    def rate(self) -> Floats:
        """Percent a year."""
        rates: Floats = _rates()[self.rate_row]
        return rates

    def grown(self, months: Ints) -> Floats:
        """The factor by which a debt grows in that many months."""
        factors: Floats = _growth()[self.rate_row, months]
        return factors

    def owed_after(self, payments: Ints) -> Floats:
        """The principal left after that many payments."""
        whole = self.grown(self.term)
        return self.funded * (whole - self.grown(payments)) / (whole - 1.0)


@dataclass(frozen=True)
class _Payments:
    """What became of a loan. Amounts in USD."""

    status: Ints
    count: Ints
    """Monthly payments received."""
    principal: Floats
    interest: Floats
    late_fee: Floats
    recovered: Floats
    collection_fee: Floats
    outstanding: Floats
    last: Floats


Columns = dict[str, pl.Series | Floats | Ints]


@cache
def _rates() -> Floats:
    """Percent a year: the sub-grades of the first rate year, then those of the next."""
    return np.array([rate for rates in facts.RATES.values() for rate in rates], dtype=np.float64)


@cache
def _growth() -> Floats:
    """For each of the rates, by what factor a debt grows in 0 to 60 months."""
    monthly = 1.0 + _rates() / 1_200.0
    factors: Floats = np.multiply.accumulate(np.column_stack([np.ones_like(monthly)] + [monthly] * _LONGEST), axis=1)
    return factors


def _chunk(draws: Draws, calendar: _Calendar, words: _Words, first: int) -> pl.DataFrame:
    row = np.arange(first, first + draws.rows)
    place = np.searchsorted(calendar.ends, row, side="right")
    loans = _agreed(draws, calendar.months[place], calendar.older[place] + calendar.ends[place] - 1 - row)
    wealth = draws.uniform()
    columns: Columns = {
        **_terms(draws, loans, int(calendar.ends[-1])),
        **_purpose_texts(draws, loans, words),
        **_borrower(draws, loans, words, wealth),
        **_history(draws, loans, wealth),
        **_recent_history(draws, loans),
        **_payments(draws, loans, _became(draws, loans)),
    }
    return pl.DataFrame(columns).select(HEADER).with_columns(cs.float().fill_nan(None))


def _agreed(draws: Draws, month: Ints, number: Ints) -> _Loans:
    year = month // 12 + _FIRST_YEAR
    sub_grade = draws.pick([count for counts in facts.SUB_GRADES.values() for count in counts])
    rate_row = np.searchsorted(_RATE_YEARS, np.minimum(year, _RATE_YEARS[-1])) * 35 + sub_grade

    size = draws.uniform()
    long_share = np.array(facts.LONG_TERM)[sub_grade // 5] * (0.35 + 1.3 * size)
    term = np.where(draws.chance(long_share) & (month >= _month(2010, 5)), 60, 36)
    whole = _growth()[rate_row, term]
    per_dollar = _rates()[rate_row] / 1_200.0 * whole / (whole - 1.0)

    amount = from_quantiles(size, *facts.AMOUNT)
    step = np.array([1_000.0, 500.0, 25.0])[draws.pick([0.6, 0.2, 0.2])]
    requested = np.maximum(np.rint(amount / step), 1.0) * step
    # No loan of the file has a monthly payment, or payments in all, outside these bounds.
    largest = np.minimum(facts.INSTALLMENTS[1], facts.LARGEST_TOTAL / term)
    requested = np.minimum(requested, np.floor(largest / per_dollar / 25.0) * 25.0)
    smallest = np.ceil(facts.INSTALLMENTS[0] / per_dollar / 25.0) * 25.0
    requested = np.maximum(requested, smallest)
    cut = draws.chance(np.where(year <= 2011, 0.03, 0.0009))
    funded = np.where(cut, np.maximum(np.floor(requested * draws.uniform() / 25.0), 20.0) * 25.0, requested)
    funded = np.clip(funded, smallest, requested)

    part = np.where(year <= 2008, np.sqrt(draws.uniform()), 1.0)
    short = np.where(draws.chance(np.where(year <= 2011, 0.35, 0.12)), 25.0 * draws.pick([0, 6, 2, 1, 1, 1, 1]), 0.0)
    odd = np.where(draws.chance(0.05) & (year <= 2011), draws.uniform() * 25.0, 0.0)
    invested = np.maximum(np.rint(funded * part / 25.0) * 25.0 - short - odd, 0.0)
    return _Loans(
        number=number,
        month=month,
        requested=requested,
        funded=funded,
        invested=np.where(draws.chance(0.2) & (year <= 2007), 0.0, invested),
        term=term,
        sub_grade=sub_grade,
        rate_row=rate_row,
        installment=funded * per_dollar,
    )


def _terms(draws: Draws, loans: _Loans, rows: int) -> Columns:
    # At more than full size, the numbers of loans begin again above the last ones.
    rounds = -(-rows // facts.FULL_ROWS)
    offset = (loans.number % rounds) * facts.ID_ROUND
    within, size = loans.number // rounds, -(-rows // rounds)
    share = (within + 0.9 * draws.uniform()) / size
    neighbour = (within ^ 5) + 0.9 * draws.uniform()
    loan_id = from_quantiles(share, facts.ID_SHARES, facts.IDS).astype(np.int64) + offset
    member_id = from_quantiles(neighbour / (size + 8), facts.ID_SHARES, facts.MEMBER_IDS).astype(np.int64) + offset
    grade = loans.sub_grade // 5
    return {
        "id": loan_id,
        "member_id": member_id,
        "url": pl.select(pl.concat_str(pl.lit(facts.LOAN_PAGE), pl.Series(loan_id))).to_series(),
        "loan_amnt": loans.requested,
        "funded_amnt": loans.funded,
        "funded_amnt_inv": _unrounded(loans.invested),
        "term": texts(pl.Series([" 36 months", " 60 months"]), (loans.term == 60).astype(np.int64)),
        "int_rate": loans.rate,
        "installment": _cents(loans.installment),
        "grade": texts(pl.Series(_GRADES), grade),
        "sub_grade": texts(pl.Series([f"{grade}{step}" for grade in _GRADES for step in range(1, 6)]), loans.sub_grade),
        "issue_d": _dates(loans.month),
        "pymnt_plan": texts(pl.Series(["n", "y"]), draws.chance(1.1e-5).astype(np.int64)),
        "initial_list_status": texts(
            pl.Series(["f", "w"]), draws.chance(_by_year(loans.month, facts.WHOLE_SHARE)).astype(np.int64)
        ),
        "policy_code": np.ones(draws.rows),
    }


def _purpose_texts(draws: Draws, loans: _Loans, words: _Words) -> Columns:
    """What the borrower wrote of the loan."""
    purpose = draws.pick([count for name, count in facts.PURPOSES.items() if name != "educational"])
    purpose = np.where(draws.chance(0.02) & (loans.month < _month(2011, 1)), len(facts.PURPOSES) - 1, purpose)
    free = _joined(draws, words.title_fronts, words.title_backs)
    fixed = texts(pl.Series(facts.PURPOSE_TITLES), purpose)
    title = fixed.zip_with(pl.Series(draws.chance(_by_year(loans.month, facts.FORM_TITLE_SHARE))), free)
    return {
        "purpose": texts(pl.Series(list(facts.PURPOSES)), purpose),
        "title": _null_where(draws.chance(152 / facts.FULL_ROWS), title),
        "desc": _descriptions(draws, loans, words),
    }


def _descriptions(draws: Draws, loans: _Loans, words: _Words) -> pl.Series:
    known = draws.chance(_by_year(loans.month, facts.DESC_SHARE))
    written = draws.of(known)
    day = written.pick([1.0] * 28) + 1
    written_on = texts(_days(), (loans.month[known] - _month(2007, 1)) * 28 + day - 1)
    length = written.pick([1, 2, 2, 2, 1, 1])
    parts = [
        words.desc_parts.gather(written.pick([1.0] * len(words.desc_parts))).zip_with(
            pl.Series(number <= length), _NOTHING
        )
        for number in range(6)
    ]
    text = pl.select(pl.concat_str(pl.lit("  Borrower added on "), written_on, pl.lit(" > "), *parts, pl.lit("<br>")))
    return _scattered(pl.Series([" "]).zip_with(pl.Series(written.chance(246 / 126_028)), text.to_series()), known)


def _borrower(draws: Draws, loans: _Loans, words: _Words, wealth: Floats) -> Columns:
    year = loans.month // 12 + _FIRST_YEAR
    income = from_quantiles(draws.near(wealth, 0.5), *facts.INCOME)
    step = np.array([1_000.0, 500.0, 1.0])[draws.pick([0.75, 0.15, 0.1])]
    income = np.rint(income / step) * step
    income[draws.chance(2 / facts.FULL_ROWS)] = facts.LARGEST_INCOME
    income[draws.chance(4 / 603) & (year == 2007)] = np.nan

    employed = draws.pick(list(facts.EMPLOYED.values()))
    no_title = (employed == len(facts.EMPLOYED) - 1) | draws.chance(0.008)
    usual = pl.Series(draws.chance(0.35))
    # Borrowers named their employer, and from October 2013 on what they work as.
    named = np.where(loans.month >= _month(2013, 10), 0.5, 0.0)
    at = draws.uniform()
    frequent = words.work.gather(((named + at * (0.35 + 0.15 * at)) * len(words.work)).astype(np.int64))
    work = frequent.zip_with(usual, _joined(draws, words.work_fronts, words.work_backs, named, 0.5))

    # The more a borrower has, the likelier there is a mortgage.
    home = np.where(draws.chance(0.1 + 0.8 * wealth), 0, 1 + draws.pick(list(facts.HOMES.values())[1:]))
    state = draws.pick([count for count, _, _ in facts.STATES.values()])
    lowest, highest = (np.array([row[at] for row in facts.STATES.values()])[state] for at in (1, 2))
    # Within a state the first areas drawn are the commonest; the shift makes California's commonest one 945.
    width, near = highest - lowest + 1, draws.uniform()
    area = lowest + ((near * (0.25 + 0.75 * near) * width).astype(np.int64) + 45) % width

    joint = draws.chance(511 / 130_502) & (loans.month >= _month(2015, 10))
    of_both = draws.of(joint)
    both = np.clip(income[joint], np.rint(of_both.quantile(*facts.JOINT_INCOME)), facts.JOINT_INCOME[1][-1])
    both_ratio = np.where(of_both.chance(2 / 511), np.nan, _cents(of_both.quantile(*facts.JOINT_DTI)))
    ratio = _cents(draws.quantile(*facts.DTI))
    ratio[draws.chance(2 / facts.FULL_ROWS)] = facts.LARGEST_DTI
    checks = list(facts.VERIFICATIONS)
    return {
        "emp_title": _null_where(no_title, work),
        "emp_length": texts(pl.Series(list(facts.EMPLOYED)), employed),
        "home_ownership": texts(pl.Series(list(facts.HOMES)), home),
        "annual_inc": income,
        "verification_status": texts(pl.Series(checks), draws.pick(list(facts.VERIFICATIONS.values()))),
        "zip_code": texts(pl.Series([f"{digits:03d}xx" for digits in range(1_000)]), area),
        "addr_state": texts(pl.Series(list(facts.STATES)), state),
        "dti": ratio,
        "application_type": texts(pl.Series(["INDIVIDUAL", "JOINT"]), joint.astype(np.int64)),
        "annual_inc_joint": spread(both, joint),
        "dti_joint": spread(both_ratio, joint),
        "verification_status_joint": _scattered(
            texts(pl.Series(list(facts.JOINT_VERIFICATIONS)), of_both.pick(list(facts.JOINT_VERIFICATIONS.values()))),
            joint,
        ),
    }


def _history(draws: Draws, loans: _Loans, wealth: Floats) -> Columns:
    """The credit bureau's file on the borrower."""
    year = loans.month // 12 + _FIRST_YEAR
    seen = ~(draws.chance(29 / 603) & (year == 2007))
    late_at, record_at = draws.uniform() / facts.EVER_LATE, draws.uniform() / facts.EVER_RECORDED
    since_late = np.where(seen & (late_at < 1.0), np.floor(from_quantiles(late_at, *facts.SINCE_LATE)), np.nan)
    since_record = np.where(seen & (record_at < 1.0), np.floor(from_quantiles(record_at, *facts.SINCE_RECORD)), np.nan)
    times_late = np.where(since_late < 24.0, 1.0 + draws.pick(facts.TIMES_LATE), 0.0)
    records = np.where(record_at < 1.0, 1.0 + draws.pick(facts.RECORDS), 0.0)
    busy = draws.uniform()
    open_now = np.floor(from_quantiles(busy, *facts.OPEN_LINES))
    ever = np.maximum(np.floor(from_quantiles(draws.near(busy, 0.6), *facts.LINES_EVER)), open_now)
    age = np.floor(draws.quantile(*facts.CREDIT_AGE)).astype(np.int64)

    owing = draws.near(wealth, 0.4)
    balance = np.rint(from_quantiles(owing, *facts.REVOLVING))
    used = np.rint(from_quantiles(draws.near(owing, 0.6), *facts.REVOLVING_USED) * 10.0) / 10.0
    limit = np.minimum(np.rint(balance / np.maximum(used, 10.0)) * 100.0, facts.LARGEST_LIMIT)
    # From August 2012 on the bureau's totals are known, at first not for all.
    totals = draws.chance(np.where(loans.month >= _month(2013, 1), 1.0, 0.848)) & (loans.month >= _month(2012, 8))
    debts = np.maximum(np.rint(from_quantiles(draws.near(wealth, 0.8), *facts.ALL_DEBTS)), balance)
    collected = np.where(draws.chance(0.14), np.rint(draws.quantile(*facts.COLLECTED)), 0.0)
    since_worst = np.floor(draws.quantile(*facts.SINCE_WORST))
    return {
        "delinq_2yrs": np.where(seen, times_late, np.nan),
        "earliest_cr_line": _dates(np.maximum(loans.month - age, _month(1944, 1)), seen),
        "inq_last_6mths": np.where(seen, draws.pick(facts.INQUIRIES).astype(np.float64), np.nan),
        "mths_since_last_delinq": since_late,
        "mths_since_last_record": since_record,
        "open_acc": np.where(seen, open_now, np.nan),
        "pub_rec": np.where(seen, records, np.nan),
        "revol_bal": balance,
        "revol_util": np.where(draws.chance(np.where(year <= 2011, 0.004, 0.0004)), np.nan, used),
        "total_acc": np.where(seen, ever, np.nan),
        "collections_12_mths_ex_med": np.where(
            seen & ~(draws.chance(116 / 603) & (year == 2007)), draws.pick(facts.COLLECTIONS).astype(np.float64), np.nan
        ),
        "mths_since_last_major_derog": np.where(totals & draws.chance(0.2713), since_worst, np.nan),
        "acc_now_delinq": np.where(seen, draws.pick(facts.LATE_NOW).astype(np.float64), np.nan),
        "tot_coll_amt": np.where(totals, collected, np.nan),
        "tot_cur_bal": np.where(totals, debts, np.nan),
        "total_rev_hi_lim": np.where(totals, limit, np.nan),
    }


def _recent_history(draws: Draws, loans: _Loans) -> Columns:
    """What the bureau says since December 2015, of about half of the loans."""
    seen = draws.chance(21_372 / 44_341) & (loans.month >= _month(2015, 12))
    some = draws.of(seen)
    loans_opened, cards_opened = (np.floor(some.quantile(*opened)) for opened in (facts.IL_OPENED, facts.RV_OPENED))
    inquiries = np.floor(some.quantile(*facts.INQUIRIES_YEAR))
    inquiries[some.chance(0.0002)] = facts.ODD_INQUIRIES
    columns: dict[str, Floats] = {
        "open_acc_6m": np.floor(some.quantile(*facts.OPENED_6M)),
        "open_il_6m": np.floor(some.quantile(*facts.IL_IN_USE)),
        "open_il_12m": np.minimum(np.rint(loans_opened * some.uniform()), 12.0),
        "open_il_24m": loans_opened,
        "mths_since_rcnt_il": np.where(some.chance(0.0263), np.nan, np.floor(some.quantile(*facts.SINCE_IL))),
        "total_bal_il": np.rint(some.quantile(*facts.IL_DEBTS)),
        "il_util": np.where(some.chance(0.1289), np.nan, np.rint(some.quantile(*facts.IL_USED) * 10.0) / 10.0),
        "open_rv_12m": np.minimum(np.rint(cards_opened * some.uniform()), 22.0),
        "open_rv_24m": cards_opened,
        "max_bal_bc": np.rint(some.quantile(*facts.LARGEST_CARD)),
        "all_util": np.rint(some.quantile(*facts.ALL_USED) * 10.0) / 10.0,
        "inq_fi": some.pick(facts.INQUIRIES_FI).astype(np.float64),
        "total_cu_tl": np.floor(some.quantile(*facts.FINANCE_ACCOUNTS)),
        "inq_last_12m": inquiries,
    }
    return {name: spread(values, seen) for name, values in columns.items()}


def _became(draws: Draws, loans: _Loans) -> _Payments:
    age = _NOW - loans.month
    missed = np.ceil(draws.quantile(*facts.FIRST_MISSED) * loans.term).astype(np.int64)
    ended = np.minimum(np.ceil(draws.quantile(*facts.PREPAID)).astype(np.int64), loans.term)
    failed = draws.chance(facts.RISK[0] + facts.RISK[1] * loans.sub_grade) & (missed <= np.minimum(ended, age))
    paid = ~failed & (ended <= age)
    overdue = age - missed
    written_off = failed & ((overdue > 5) | ((overdue == 5) & draws.chance(0.65)))
    running = ~failed & ~paid
    # Some pay late in the month, so that their last payment is not yet in the file.
    behind = running & draws.chance(0.22)
    waiting = running & (age == 1) & draws.chance(0.2)

    status = np.full(draws.rows, _CURRENT)
    status[behind & draws.chance(0.02)] = _GRACE
    status[waiting] = _ISSUED
    status[failed] = np.where(draws.chance(0.6), _LATE_16, _LATE_31)[failed]
    status[failed & (overdue == 0)] = _GRACE
    status[failed & (overdue > 1)] = _LATE_31
    status[failed & (overdue == 5)] = _DEFAULT
    status[written_off] = _CHARGED_OFF
    status[paid] = _FULLY_PAID
    old_policy = (paid | written_off) & (loans.month < _month(2011, 1)) & draws.chance(0.132)
    status[old_policy] += _OLD_POLICY

    count = np.select([paid, failed, waiting], [ended, missed - 1, 0], age - behind)
    before_last = loans.owed_after(np.maximum(count - 1, 0))
    charge = before_last * loans.rate / 1_200.0
    owed = np.where(paid, 0.0, loans.owed_after(count))
    principal = loans.funded - owed
    interest = np.maximum(count - 1, 0) * loans.installment - (loans.funded - before_last) + charge
    interest = np.where(count > 0, interest, 0.0)
    fee_share = np.select([written_off, paid, failed], [0.1, 0.02, 0.2], 0.006)
    late_fee = np.where(draws.chance(fee_share) & (count > 0), np.maximum(15.0, 0.05 * loans.installment), 0.0)
    recovered = np.where(written_off & draws.chance(0.6), owed * draws.quantile(*facts.RECOVERED), 0.0)
    fee = recovered * np.array([0.0, 0.01, 0.18])[draws.pick([0.3, 0.35, 0.35])]
    return _Payments(
        status=status,
        count=count,
        principal=_cents(principal),
        interest=interest,
        late_fee=_cents(late_fee),
        recovered=_cents(recovered),
        collection_fee=fee,
        outstanding=np.where(written_off, 0.0, _cents(owed)),
        last=np.where(count > 0, _cents(np.where(paid, before_last + charge, loans.installment)), 0.0),
    )


def _payments(draws: Draws, loans: _Loans, payments: _Payments) -> Columns:
    status, finished = payments.status, np.isin(payments.status, (_FULLY_PAID, _CHARGED_OFF))
    ended = finished | (status >= _OLD_POLICY)
    interest = _cents(payments.interest)
    received = _cents(payments.principal + interest + payments.late_fee + payments.recovered)
    # The total of a loan that was paid back is not rounded, and only it.
    exact = (status % _OLD_POLICY == _FULLY_PAID) & draws.chance(0.85)
    received = np.where(exact, payments.principal + payments.interest + payments.late_fee, received)
    part = loans.invested / loans.funded
    last = loans.month + payments.count
    due = np.where((last == _NOW) | (status != _CURRENT) | draws.chance(0.3), _NOW + 1, last + 1)
    due = np.where(status >= _OLD_POLICY, last + 1, due)
    # The lender looks at whoever still pays, and now and then at others.
    looked = last + (draws.uniform() * (_NOW - last + 1)).astype(np.int64)
    looked = np.where(draws.chance(np.where(ended, 0.42, 0.97)), _NOW, looked)
    return {
        "loan_status": texts(pl.Series(facts.STATUSES), status),
        "out_prncp": payments.outstanding,
        "out_prncp_inv": _cents(payments.outstanding * part),
        "total_pymnt": _unrounded(received),
        "total_pymnt_inv": _cents(received * part),
        "total_rec_prncp": payments.principal,
        "total_rec_int": interest,
        "total_rec_late_fee": payments.late_fee,
        "recoveries": payments.recovered,
        "collection_recovery_fee": _unrounded(payments.collection_fee),
        "last_pymnt_d": _dates(last, payments.count > 0),
        "last_pymnt_amnt": payments.last,
        "next_pymnt_d": _dates(due, ~finished),
        "last_credit_pull_d": _dates(looked, ~draws.chance(53 / facts.FULL_ROWS)),
    }


def _by_year(month: Ints, shares: tuple[float, ...]) -> Floats:
    """The share of each loan's year, of shares for 2007 and on."""
    found: Floats = np.array(shares)[(month - _month(2007, 1)) // 12]
    return found


def _cents(amount: Floats) -> Floats:
    """Rounded to two digits, as amounts and ratios are written."""
    return np.rint(amount * 100.0) / 100.0


def _unrounded(amount: Floats) -> pl.Series:
    """With the twelve digits, at most ten of them decimals, that the file has of amounts it does not round."""
    return pl.Series(amount).round_sig_figs(12).round(10)


@cache
def _month_names() -> pl.Series:
    names = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
    return pl.Series([f"{name}-{year}" for year in range(_FIRST_YEAR, facts.SNAPSHOT[0] + 1) for name in names])


@cache
def _days() -> pl.Series:
    """The first 28 days of each month from January 2007."""
    months = [(year, month) for year in range(2007, facts.SNAPSHOT[0]) for month in range(1, 13)]
    return pl.Series([f"{month:02d}/{day:02d}/{year % 100:02d}" for year, month in months for day in range(1, 29)])


def _dates(months: Ints, known: Flags | None = None) -> pl.Series:
    return texts(_month_names(), months, known)


def _joined(
    draws: Draws, fronts: pl.Series, backs: pl.Series, start: Floats | float = 0.0, part: float = 1.0
) -> pl.Series:
    """A front and a back for each row, of that part of both lists that starts there."""
    front, back = (
        values.gather(((start + part * draws.uniform()) * len(values)).astype(np.int64)) for values in (fronts, backs)
    )
    return pl.select(pl.concat_str(front, back)).to_series()


def _null_where(missing: Flags, values: pl.Series) -> pl.Series:
    return _NONE.zip_with(pl.Series(missing), values)


def _scattered(values: pl.Series, known: Flags) -> pl.Series:
    """The values, in turn, where they are known."""
    if not len(values):
        return pl.repeat(None, len(known), dtype=pl.String, eager=True)
    return texts(values, np.maximum(np.cumsum(known) - 1, 0), known)
