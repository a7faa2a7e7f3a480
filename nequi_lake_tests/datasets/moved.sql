SELECT
    parcel,
    of_order,
    of_line + 1 AS of_line
FROM parcels.parcels
