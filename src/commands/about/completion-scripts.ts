// Completion scripts. Each hands what was typed to `meshctl __complete` and gives the shell the answers.

export const BASH = `# bash completion for meshctl: source <(meshctl completion bash)
_meshctl() {
  # Bash breaks words at = and : too; ours end at spaces.
  local line="\${COMP_LINE:0:COMP_POINT}" words=() answers=() directive current prefix answer
  read -ra words <<<"$line"
  [[ $line == *[[:space:]] ]] && words+=("")
  current="\${words[\${#words[@]} - 1]}"
  # As bash 3.2 of macOS can: without mapfile, and without negative indices.
  while IFS= read -r answer; do answers+=("$answer"); done < <("\${words[0]}" __complete -- "\${words[@]:1}" 2>/dev/null)
  COMPREPLY=()
  [[ \${#answers[@]} -gt 0 ]] || return
  directive="\${answers[\${#answers[@]} - 1]}"
  unset "answers[\${#answers[@]} - 1]"
  # Of a word with = or :, bash replaces only what follows.
  prefix="\${current%"\${current##*[=:]}"}"
  [[ $COMP_WORDBREAKS == *"\${prefix: -1}"* ]] || prefix=""
  for answer in "\${answers[@]}"; do
    answer="\${answer%%$'\\t'*}"
    COMPREPLY+=("\${answer#"$prefix"}")
  done
  [[ $directive == :4 ]] && compopt +o default 2>/dev/null
}
complete -o default -F _meshctl meshctl
`;

export const ZSH = `#compdef meshctl
# zsh completion for meshctl: source <(meshctl completion zsh)
_meshctl() {
  local -a answers candidates
  local directive answer
  answers=("\${(@f)$("\${words[1]}" __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  directive="\${answers[-1]}"
  answers[-1]=()
  for answer in "\${answers[@]}"; do
    candidates+=("\${\${answer%%$'\\t'*}//:/\\\\:}:\${answer#*$'\\t'}")
  done
  (( \${#candidates} )) && _describe meshctl candidates
  [[ $directive == :0 ]] && _files
  return 0
}
if [[ "\${funcstack[1]}" == _meshctl ]]; then _meshctl; else compdef _meshctl meshctl; fi
`;

export const FISH = `# fish completion for meshctl: meshctl completion fish > ~/.config/fish/completions/meshctl.fish
function __meshctl_complete
  set -l words (commandline -opc)
  set -l current (commandline -ct)
  set -l answers ($words[1] __complete -- $words[2..-1] "$current" 2>/dev/null)
  set -q answers[1]; or return
  for answer in $answers[1..-2]
    echo $answer
  end
  test "$answers[-1]" = ":0"; and __fish_complete_path "$current"
end
complete -c meshctl -f -a '(__meshctl_complete)'
`;
