"""How fast the lake is, beside what a user would otherwise pick: ``make bench``. Not part of the package."""
