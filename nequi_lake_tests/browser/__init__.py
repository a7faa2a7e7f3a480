"""What a person sees in a browser: pages of reports, and the Dagster UI. ``make test-integration`` runs these."""
