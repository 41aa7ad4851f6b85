// Scripts of the imaptest corpus: parsed, played against a Stage, and compared as its documentation says. For tests.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "server/imap_stage_test.hpp"

namespace facteur::server::stage {

// One argument of a response or of a pattern for it.
struct Argument {
  enum class Kind : std::uint8_t { text, nil, list };
  Kind kind = Kind::text;
  std::string text;
  bool quoted = false;  // A string or literal: holds no variables.
  std::vector<Argument> list;
};
std::vector<Argument> parse_arguments(Bytes text);

using Variables = std::map<std::string, std::string>;

// Compares patterns with what came; binds variables that have no value yet.
class Matcher {
 public:
  explicit Matcher(Variables& variables) : variables_(variables) {}
  std::vector<std::uint32_t> numbers;  // $1, $2...: current sequence numbers; 0: expunged.

  bool untagged(Bytes pattern, Bytes line);  // Both without "* ". Leaves no new variables behind if it fails.
  bool prefix(Bytes pattern, Bytes text);    // Of a tagged or status response.
  std::string expanded(Bytes text) const;    // For commands.

 private:
  struct Rules {
    std::size_t chain = 0;  // 0: ordered.
    bool extra = true;
    std::vector<std::string> ignored;
    std::vector<std::string> banned;
  };
  bool match_text(Bytes pattern, Bytes text, bool may_go_on);
  bool match_one(const Argument& pattern, const Argument& text, const Rules* rules);
  bool match_list(std::vector<Argument> pattern, const std::vector<Argument>& text, Rules rules);
  bool match_ordered(const std::vector<Argument>& pattern, const std::vector<Argument>& text);
  bool match_chains(const std::vector<Argument>& pattern, const std::vector<Argument>& text, const Rules& rules);
  std::optional<std::string> value(const std::string& name) const;

  Variables& variables_;
};

// Plays one script. Empty: it passed; "skipped: ..." names the capability that is missing; else what went wrong first.
std::string play_script(const std::string& path, Bytes capabilities);

}  // namespace facteur::server::stage
