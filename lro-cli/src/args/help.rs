//! The examples at the end of each help text.

pub(super) const EXAMPLES: &str = "\
Examples:
  lro list --state running
  lro wait operations/42 --timeout 10m
  lro start Exporter/Export tables=users --wait";

pub(super) const EXAMPLES_AND_CODES: &str = "\
Examples:
  lro list --state running
  lro wait operations/42 --timeout 10m
  lro start Exporter/Export tables=users --wait

Exit codes:
   0  done; with several operations, all succeeded
   1  a fault of the command itself: I/O, a broken configuration
   2  wrong usage, or a filter or request that was refused
   3  an operation ended with an error
   4  an operation ended CANCELLED
   5  the --timeout was reached; the operation still runs
   6  there is no such operation
   7  not authenticated, or not permitted
   8  could not find out: the server is unreachable, or too many calls failed
   9  the server refused some or all of what was asked for
  10  the server does not offer this call
 130  SIGINT ended the watching (143: SIGTERM); the operation still runs

With several operations it is the first of 7, 8, 6, 3, 5, 4 that occurs.";

pub(super) const LIST: &str = "\
Examples:
  lro list --state running,failed --limit 4
  lro list --filter 'labels.batch = \"nightly\"' --since 24h -o name
  lro list --all -o 'value(name,error.code,metadata.tables_done)'
  lro list --watch

--filter goes to the server as it is. --state and --since work on every server: they are sent as a
filter where the server takes it, and checked here in any case.";

pub(super) const GET: &str = "\
Examples:
  lro get operations/42
  lro get ..e41d @latest -o json
  lro list --all -o name | lro get - -o ndjson

A NAME is a full name, a suffix of one of the newest 1,000 (..e41d), @latest, a resume token, a link
of the web console, or - for names from stdin, one a line. The exit code of a failed operation is 0 here: see `lro wait`.";

pub(super) const WAIT: &str = "\
Examples:
  lro wait operations/42 --timeout 10m > result.json
  lro wait ..e41d ..9c02 --any
  lro wait --filter 'labels.batch = \"nightly\"' --follow

The exit code says how it ended: 0 succeeded, 3 failed, 4 cancelled, 5 time limit reached (it still
runs), 6 no such operation, 7 not permitted, 8 could not find out.";

pub(super) const WATCH: &str = "\
Examples:
  lro watch operations/42
  lro watch ..e41d ..9c02
  lro watch operations/42 --changes
  lro watch operations/42 -o ndjson | jq .change

Ctrl-C ends the watching, not the operation, and prints the command to continue with.";

pub(super) const CANCEL: &str = "\
Examples:
  lro cancel operations/42
  lro cancel --filter 'labels.batch = \"nightly\" AND done = false'
  lro cancel --filter 'labels.batch = \"nightly\"' -y --expect 12

With --filter the command shows what matches and asks for the count. It never touches more than it
has shown. The exit code is 0 when all ended CANCELLED, and 9 when some ended otherwise.";

pub(super) const DELETE: &str = "\
Examples:
  lro delete operations/42
  lro delete --filter 'done = true' --dry-run";

pub(super) const START: &str = "\
Examples:
  lro start Exporter/Export tables=users tables=orders --wait
  lro start Exporter/Export -d '{\"tables\":[\"users\"]}'
  lro start Exporter/Export --template > request.json
  lro start Exporter/Export -d @request.json
  lro start Exporter/Export --edit

METHOD is Service/Method; the package may be left out where that is clear. FIELD=VALUE sets a field
of the request, and appends to a repeated one. Types come from reflection or --descriptor-set.";

pub(super) const CONFIG: &str = "\
Examples:
  lro config view --show-origin
  lro config set server https://ops.example.com -p prod
  lro config use prod";

pub(super) const RESUBMIT: &str = "\
Examples:
  lro resubmit operations/42 --wait
  lro resubmit ..77aa --edit
  lro list --filter 'state = FAILED' --since 24h -o name | lro resubmit - --wait -o ndjson

The server starts each operation again with its stored request, as you: permissions and limits apply
as for any start. The new operation has the label resubmitted-from.";

pub(super) const STEPS: &str = "\
Examples:
  lro steps operations/42
  lro steps operations/42 --values
  lro steps operations/42 -o history > history.json
  lro steps forget operations/42 dump/users --later
  lro steps unblock operations/42

A bar shows when a step ran (#) or waited (~), between the first begin and the last end. `-o history`
writes all steps with their values, for replays in tests.";

pub(super) const COMPLETE: &str = "\
Examples:
  lro complete operations/42 approved true
  lro complete operations/42 rows 7 --type uint32
  lro complete operations/42 approved '{\"by\":\"ada\"}'
  lro complete operations/42 other '{\"by\":\"ada\"}' --type docs.v1.Approval
  lro complete operations/42 approved --error 'PERMISSION_DENIED:legal said no'

The first value counts; the same one again is no error. It may come before the operation asks. A value
needs no --type if the method declares the promise.";

pub(super) const COMPLETION: &str = "\
Examples:
  source <(lro completion bash)          # in ~/.bashrc; zsh alike
  lro completion fish | source           # in config.fish
  lro completion bash --static > /etc/bash_completion.d/lro

The script calls `lro` at each completion: it offers the newest operations, methods, fields, filters
and profiles, as the server and the configuration of the line tell them. The server has one second.";

pub(super) const FILTER: &str = "\
A filter is a comparison, or several with AND, OR, NOT and parentheses (AIP-160):

  done = false
  state = FAILED AND create_time > \"2026-01-31T00:00:00Z\"
  labels.batch = \"nightly\" AND NOT error.code = CANCELLED
  metadata.tables_done > 3

  comparison   FIELD OPERATOR VALUE, with = != < <= > >= and : (has)
  values       true, 40, RUNNING, 20s, \"text\"; text of letters and digits needs no quotes
  wildcards    name = \"operations/import-*\", at the begin or the end
  presence     error:*  is true of operations with an error
  precedence   OR binds tighter than AND; blanks between comparisons are an AND

Fields of every operation, on a server of this project: name, method, done, state, create_time,
update_time, start_time, end_time, expire_time, error.code, error.message, labels.KEY, attempt,
metadata.FIELD, response.FIELD, metadata.@type, response.@type. Other servers have other fields, or
no filters at all: then --where evaluates the same language here.

Examples:
  lro filter                 # the fields of this server's metadata and responses
  lro list --filter 'labels.batch = \"nightly\"'
  lro list --where 'metadata.tables_done > 3'
  lro wait operations/42 --until 'metadata.tables_done >= 5'";
