"""What the help of each command ends with."""

FIT_EPILOG = """\
examples:
  skmmm fit sales.csv --kpi revenue --media tv search social \\
      --controls price holiday --region city --time week --out results
  skmmm fit --config results/settings.toml --draws 128 --out again

The table has one row per region and period (day, week, month ...). A control that
holds text, such as names of events, becomes a 0/1 column for each value but the
commonest, "event: fair (not none)". The folder given by --out then holds

  channels.csv         spend, contribution, share, ROI and marginal ROI, with intervals
  contributions.csv    prediction of every row, split into baseline, controls, channels
  channel_graph.csv    which channel drives which: weight, probability, verdict
  skill.csv            forecast errors next to a linear MMM and naive forecasts
  experiments.csv      with --experiments: what tests measured, the model before, after
  optimal_frequency.csv
                       with --frequency: how often people should see these channels
  brand_effects.csv    with --brand: what these channels caused at once, and late
  synergies.csv        with --synergy: what pairs caused beyond each by itself
  settings.toml        what the fit was called with; --config repeats it
  model.skmmm          the model, for skmmm plan, skmmm report --model and
                       DeepCausalMMMRegressor.load
  *.png                fit, contributions, waterfall, returns, verdicts, response
                       curves, channel graph, experiments

Files of these names from an earlier fit are replaced, or removed where this fit has
none. In .csv files names that begin with = + - @ get a ' in front, so that spreadsheets
do not run them.

A file of --config has a table per command, with keys as the options are called:

  [fit]
  data = "sales.csv"
  kpi = "revenue"
  media = ["tv", "search"]
  media-cost = {tv = 12.5, search = "search_spend"}
  prior = {tv = {roi = [1, 3]}}

Exit codes: 0; 1 if the data cannot be used; 2 if the arguments cannot; 130 after
Ctrl-C.
"""
REPORT_EPILOG = """\
examples:
  skmmm report sales.csv --kpi revenue --media tv search --time week
  skmmm report umsatz.csv --kpi umsatz --media tv suche --time woche \\
      --sep ";" --decimal , --date-format %d.%m.%Y
  skmmm report sales.csv --kpi revenue --model results/model.skmmm
  skmmm report sales.csv --kpi revenue --model october.skmmm --previous july.skmmm

The first fits the table and compares forecasts with naive ones. The second takes a
model that skmmm fit has saved, which knows its columns; the table is that of the fit.
The last says, too, which returns have changed since an earlier model, and why.
The report is one file that opens in any browser, without a network.
"""
PLAN_EPILOG = """\
examples:
  skmmm plan results/model.skmmm
  skmmm plan results/model.skmmm --horizon 13 --budget 500000 --fix tv
  skmmm plan results/model.skmmm --horizon 13 --spend last_periods
  skmmm plan results/model.skmmm --target-mroi 1.5 --bounds 0 3 tv=0.8:1.2
  skmmm plan results/model.skmmm --horizon 13 --money-bounds tv=0:900000
  skmmm plan results/model.skmmm --horizon 13 --price-level tv=1.08
  skmmm plan results/model.skmmm --horizon 13 --lever price=8.5:9.5:-10000
  skmmm plan results/model.skmmm --horizon 13 --regions north west
  skmmm plan results/model.skmmm --from 2024-01-01 --until 2024-06-30
  skmmm plan results/model.skmmm --limit tv+video=:900000 search+social=200000:

Money is in the units of the media columns, or of --media-cost of the fit. Without
--horizon or --data the plan is about the rows of the fit: how they should have been
spent. If no plan keeps all limits, the exit code is 1.
"""
REVIEW_EPILOG = """\
examples:
  skmmm plan results/model.skmmm --horizon 13 --save q3.plan.skmmm
  skmmm review q3.plan.skmmm q3.csv --kpi revenue
  skmmm review q3.plan.skmmm q3.csv --kpi revenue --model new/model.skmmm
  skmmm review q3.plan.skmmm q3.csv --kpi revenue --media-cost tv=13

DATA has the periods of the plan only, in the columns of the fit, with what was spent
and came in fact. Rows that are not there yet are left out, and named.
"""
UPDATE_EPILOG = """\
examples:
  skmmm update results/model.skmmm october.csv --kpi revenue --save october.skmmm
  skmmm update results/model.skmmm sales.csv --kpi revenue --save new.skmmm \\
      --effect-drift 0.05

DATA has rows of periods after those the model knows, in the columns of the fit; earlier
rows are left out, and counted. Fit again from time to time: skmmm fit.
"""
