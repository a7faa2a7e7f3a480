"""Services of AWS around the lake: its infrastructure, SQL by Athena, alerts. Where the lake is stored is not here."""
