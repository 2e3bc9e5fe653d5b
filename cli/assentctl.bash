# Completion of assentctl for bash. Written by cli/reference; a test compares it with --help.

# What may follow these words of a command line: verbs, or options.
_assentctl_words() {
  case "$1" in
    "") echo "status participants transactions explain scan doctor watch heuristic resolve replica backup restore log --help --version --json" ;;
    "status") echo "--help --at --agent --json" ;;
    "participants") echo "drain resume add remove --help --at --agent --json" ;;
    "participants drain") echo "--help --at --agent --reason --operator --timeout --json" ;;
    "participants resume") echo "--help --at --agent --reason --operator --timeout --json" ;;
    "participants add") echo "--help --at --agent --timeout --json" ;;
    "participants remove") echo "--help --at --yes --abandon-outcomes --reason --operator --json" ;;
    "transactions") echo "--help --in-doubt --older-than --participant --at --agent --json" ;;
    "explain") echo "--help --at --agent --json" ;;
    "scan") echo "--help --at --agent --json" ;;
    "doctor") echo "--help --all --at --agent --json" ;;
    "watch") echo "--help --every --count --at --agent --json" ;;
    "heuristic") echo "list forget --help --json" ;;
    "heuristic list") echo "--help --at --json" ;;
    "heuristic forget") echo "--help --untold --at --reason --operator --json" ;;
    "resolve") echo "--help --commit --abort --at --yes --reason --operator --json" ;;
    "replica") echo "list add remove replace transfer-leader --help --json" ;;
    "replica list") echo "--help --at --json" ;;
    "replica add") echo "--help --at --client --peer --admin --timeout --json" ;;
    "replica remove") echo "--help --at --timeout --json" ;;
    "replica replace") echo "--help --at --by --client --peer --admin --timeout --json" ;;
    "replica transfer-leader") echo "--help --at --to --timeout --json" ;;
    "backup") echo "--help --at --to --json" ;;
    "restore") echo "--help --config --yes --json" ;;
    "log") echo "verify dump --help --json" ;;
    "log verify") echo "--help --json" ;;
    "log dump") echo "--help --json" ;;
  esac
}

# Whether this option takes a value.
_assentctl_takes_value() {
  case "$1" in
    --admin | --agent | --at | --by | --client | --config | --count | --every | --older-than | --operator | --participant | --peer | --reason | --timeout | --to | --untold) return 0 ;;
  esac
  return 1
}

_assentctl() {
  local current="${COMP_WORDS[COMP_CWORD]}" previous="${COMP_WORDS[COMP_CWORD - 1]}"
  local verb="" word next i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    word="${COMP_WORDS[i]}"
    next="${verb:+$verb }$word"
    case "$word" in
      -*) _assentctl_takes_value "$word" && ((i++)) ;;
      *) [[ -n "$(_assentctl_words "$next")" ]] && verb="$next" ;;
    esac
  done
  if _assentctl_takes_value "$previous"; then
    case "$previous" in
      --config | --to) mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
    esac
    return
  fi
  mapfile -t COMPREPLY < <(compgen -W "$(_assentctl_words "$verb")" -- "$current")
}

complete -o bashdefault -F _assentctl assentctl
