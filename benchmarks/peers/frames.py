"""A lake's table as a pandas frame of NumPy's types, which are all that the tools of profiles take."""

from collections.abc import Sequence

import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds


def frame_of(files: Sequence[str]) -> pd.DataFrame:
    """The rows of Parquet files, amounts as floats, without what a writer noted of its own types."""
    rows = ds.dataset(list(files)).to_table().replace_schema_metadata()
    plain = [field.with_type(pa.float64()) if pa.types.is_decimal(field.type) else field for field in rows.schema]
    frame: pd.DataFrame = rows.cast(pa.schema(plain)).to_pandas(date_as_object=False)
    return frame
