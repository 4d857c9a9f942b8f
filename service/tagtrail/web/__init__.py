"""The pages: HTML made on the server, which works without a script.

Start at `blueprint.py`, which adds everything to the application, and `context.py`, which holds what a page gets. Each
module of `pages/` makes the frozen dataclass of one page, and `templates/` shows it. `sign_in.py` and `actions.py` hold
the routes that change something, `failures.py` the pages for errors. Several pages share `line_text.py` (a ledger line
as a sentence), `paging.py`, `filters.py` (form choices and exports), `wiring.py` (what each registry sent) and
`values.py` (times and sizes). `timeline/` draws a repository along time.
"""
