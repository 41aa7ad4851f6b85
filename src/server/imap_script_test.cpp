// The player of imaptest scripts, and the test that plays the corpus.
#include "server/imap_script_test.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace facteur::server::stage {
namespace {

std::string file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream out;
  out << in.rdbuf();
  return out.str();
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::size_t at = 0;
  while (at < text.size()) {
    const auto end = std::min(text.find('\n', at), text.size());
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

struct Mail {
  std::string date;  // INTERNALDATE.
  std::string text;
};

// "From user@domain  Fri Feb 22 17:06:23 2008", perhaps with a zone, begins a message.
std::vector<Mail> read_mbox(const std::string& path) {
  std::vector<Mail> mails;
  for (auto line : lines_of(file(path))) {
    std::istringstream words(line);
    std::string from, address, weekday, month, day, time, year, zone;
    if (line.starts_with("From ") && words >> from >> address >> weekday >> month >> day >> time >> year) {
      if (!(words >> zone)) zone = "+0000";
      if (day.size() == 1) day.insert(0, 1, ' ');
      mails.push_back({day + "-" + month + "-" + year + " " + time + " " + zone, {}});
      continue;
    }
    if (mails.empty()) continue;
    if (!line.ends_with('\r')) line += '\r';
    mails.back().text += line + "\n";
  }
  // The empty line before the next "From " belongs to the mbox.
  for (auto& mail : mails) {
    if (mail.text.ends_with("\r\n\r\n")) mail.text.resize(mail.text.size() - 2);
  }
  return mails;
}

// A line of the script with its literals joined in, as "{n}\r\n...".
std::vector<std::string> join_literals(const std::vector<std::string>& lines, std::size_t from) {
  std::vector<std::string> out;
  for (std::size_t i = from; i < lines.size(); ++i) {
    std::string line = lines[i];
    while (line.ends_with("{{{")) {
      const bool binary = line.ends_with("~{{{");
      line.resize(line.size() - (binary ? 4 : 3));
      std::string literal;
      bool first = true;
      for (++i; i < lines.size() && !lines[i].starts_with("}}}"); ++i) {
        if (!first) literal += binary ? "\n" : "\r\n";
        first = false;
        literal += lines[i];
      }
      line += std::string(binary ? "~" : "") + "{" + std::to_string(literal.size()) + "}\r\n" + literal;
      if (i < lines.size()) line += lines[i].substr(3);
    }
    out.push_back(std::move(line));
  }
  return out;
}

class Player {
 public:
  Player(const std::string& path, Bytes capabilities) : path_(path), matcher_(variables_) {
    variables_["mailbox"] = "imaptest";
    variables_["user"] = variables_["username"] = "anne";
    variables_["password"] = "secret";
    read_header(capabilities);
  }

  std::string play();

 private:
  void read_header(Bytes capabilities);
  void set_up();
  std::string group(std::size_t& at);
  std::string run_group();
  std::string split_connection(std::string line);
  std::string command_text(std::string command);
  std::string compare(const std::vector<std::string>& untagged, Client& client);

  std::string path_;
  Stage stage_;
  Variables variables_;
  Matcher matcher_;
  std::vector<Mail> mails_;
  std::size_t next_mail_ = 0;
  std::vector<std::unique_ptr<Client>> clients_;
  std::vector<std::uint32_t> counts_;  // Messages each connection knows of.
  std::vector<std::string> script_;
  std::string state_ = "selected";
  std::size_t connections_ = 1;
  std::string messages_ = "0";
  std::string missing_;
  int tags_ = 0;

  // The group being played.
  struct Sent {
    std::string name;  // "tag1", or empty.
    std::string command;
    std::string expected;  // Prefix of the tagged reply; empty: any.
  };
  std::size_t connection_ = 0;
  std::vector<Sent> commands_;
  std::vector<std::string> must_, must_not_;
};

void Player::read_header(Bytes capabilities) {
  const auto lines = lines_of(file(path_));
  std::size_t at = 0;
  for (; at < lines.size() && !lines[at].empty(); ++at) {
    const auto colon = lines[at].find(':');
    if (lines[at].starts_with('#') || colon == std::string::npos) continue;
    const auto key = lines[at].substr(0, colon);
    const std::string value(ascii::trimmed(Bytes(lines[at]).substr(colon + 1)));
    if (key == "state") state_ = value;
    if (key == "connections") connections_ = ascii::number<std::size_t>(value).value_or(1);
    if (key == "messages") messages_ = value;
    if (key != "capabilities") continue;
    std::istringstream words(value);
    for (std::string word; words >> word;) {
      if ((" " + ascii::upper(capabilities) + " ").find(" " + ascii::upper(word) + " ") == std::string::npos) {
        missing_ = word;
      }
    }
  }
  script_ = join_literals(lines, at);
  const auto mbox = path_ + ".mbox";
  mails_ = read_mbox(
      std::filesystem::exists(mbox) ? mbox : (std::filesystem::path(path_).parent_path() / "default.mbox").string());
}

void Player::set_up() {
  for (std::size_t i = 0; i < connections_; ++i) {
    clients_.push_back(std::make_unique<Client>(stage_));
    counts_.push_back(0);
    if (state_ != "nonauth") clients_.back()->log_in();
  }
  if (state_ == "nonauth" || state_ == "auth") return;
  clients_[0]->ask("CREATE imaptest");
  if (state_ == "created") return;
  const auto count = messages_ == "all" ? mails_.size() : ascii::number<std::size_t>(messages_).value_or(0);
  for (std::size_t i = 0; i < count; ++i) clients_[0]->ask(command_text("append"));
  if (state_ == "appended") return;
  for (std::size_t i = 0; i < connections_; ++i) {
    clients_[i]->ask("SELECT imaptest");
    counts_[i] = static_cast<std::uint32_t>(count);
  }
}

// What goes over the wire for a command of the script, without its tag.
std::string Player::command_text(std::string command) {
  command = command.starts_with('{') ? command : matcher_.expanded(command);
  if (ascii::starts_with_ignoring_case(command, "append") && command.find("{") == std::string::npos) {
    const auto& mail = mails_[next_mail_++ % mails_.size()];
    if (command.size() == 6) command += " imaptest \"" + mail.date + "\"";
    command += " {" + std::to_string(mail.text.size()) + "}\r\n" + mail.text;
  }
  // Literals go without waiting.
  for (auto at = command.find("}\r\n"); at != std::string::npos; at = command.find("}\r\n", at + 3)) {
    command.insert(at, "+");
    const auto open = command.rfind('{', at);
    at += ascii::number<std::size_t>(Bytes(command).substr(open + 1, at - open - 1)).value_or(0) + 1;
  }
  return command;
}

std::string Player::split_connection(std::string line) {
  if (connections_ == 1) return line;
  const auto space = line.find(' ');
  const auto number = ascii::number<std::size_t>(Bytes(line).substr(0, space));
  if (!number || *number == 0 || *number > connections_) return line;
  connection_ = *number - 1;
  return line.substr(space + 1);
}

bool is_reply_word(Bytes word) {
  return word == "\"\"" || ascii::equal_ignoring_case(word, "ok") || ascii::equal_ignoring_case(word, "no") ||
         ascii::equal_ignoring_case(word, "bad");
}

// Reads one group of the script and plays it.
std::string Player::group(std::size_t& at) {
  commands_.clear();
  must_.clear();
  must_not_.clear();
  bool whole = false;
  while (at < script_.size() && !whole) {
    const auto& raw = script_[at];
    if (raw.starts_with("* ")) {
      must_.push_back(raw.substr(2));
    } else if (raw.starts_with("! ")) {
      must_not_.push_back(raw.substr(2));
    } else if (!raw.empty() && !raw.starts_with('#') && !raw.starts_with("? ")) {
      const auto connection = connection_;
      const auto line = split_connection(raw);
      const auto space = std::min(line.find(' '), line.size());
      const auto word = line.substr(0, space);
      const auto rest = line.substr(std::min(space + 1, line.size()));
      if (is_reply_word(word)) {
        if (!commands_.empty() && commands_.back().expected == "open") {  // Method 2.
          commands_.back().expected = word == "\"\"" ? "" : line;
          whole = true;
        } else if (!commands_.empty()) {
          connection_ = connection;
          break;  // The next group begins.
        } else {
          commands_.push_back({{}, rest, word == "\"\"" ? "" : word});
        }
      } else if (word.starts_with("tag")) {
        const auto named = std::ranges::find(commands_, word, &Sent::name);
        if (named != commands_.end() && is_reply_word(rest.substr(0, rest.find(' ')))) {
          named->expected = rest.starts_with("\"\"") ? "" : rest;
          whole = std::ranges::none_of(commands_, [](const Sent& sent) { return sent.expected == "open"; });
        } else {
          commands_.push_back({word, rest, "open"});
        }
      } else if (!commands_.empty()) {
        connection_ = connection;
        break;
      } else {
        commands_.push_back({{}, line, "open"});
      }
    }
    ++at;
  }
  return commands_.empty() ? "" : run_group();
}

std::string Player::run_group() {
  auto& client = *clients_[connection_];
  std::string wire;
  std::vector<std::string> tags;
  for (const auto& sent : commands_) {
    tags.push_back("x" + std::to_string(++tags_));
    wire += tags.back() + " " + command_text(sent.command) + "\r\n";
  }
  variables_["tag"] = tags.front();
  client.send(wire);
  std::vector<std::string> untagged;
  for (std::size_t i = 0; i < tags.size(); ++i) {
    const auto text = client.until(tags[i] + " ");
    for (auto& one : split_responses(text)) {
      if (one.starts_with("* ")) {
        untagged.push_back(one.substr(2));
      } else if (one.starts_with(tags[i] + " ")) {
        const auto reply = one.substr(tags[i].size() + 1);
        if (!matcher_.prefix(commands_[i].expected, reply)) {
          return "'" + commands_[i].command + "' got: " + one + " (wanted " + commands_[i].expected + ")";
        }
      }
    }
  }
  return compare(untagged, client);
}

std::string Player::compare(const std::vector<std::string>& untagged, Client&) {
  auto& count = counts_[connection_];
  std::vector<bool> met(must_.size(), false);
  matcher_.numbers.clear();
  for (std::uint32_t n = 1; n <= count; ++n) matcher_.numbers.push_back(n);
  // First those that must come, in the order of the script, each against all lines with the numbers of their moment.
  std::vector<std::vector<std::uint32_t>> moments;
  for (const auto& line : untagged) {
    moments.push_back(matcher_.numbers);
    const auto arguments = parse_arguments(line);
    if (arguments.size() < 2) continue;
    const auto number = ascii::number<std::uint32_t>(arguments[0].text).value_or(0);
    if (ascii::equal_ignoring_case(arguments[1].text, "EXPUNGE")) {
      for (auto& current : matcher_.numbers) {
        if (current == number) {
          current = 0;
        } else if (current > number) {
          --current;
        }
      }
      --count;
    }
    if (ascii::equal_ignoring_case(arguments[1].text, "EXISTS")) count = number;
  }
  std::string came;
  for (const auto& line : untagged) came += "\n    * " + ascii::escaped(line);
  for (const auto& pattern : must_) {
    bool found = false;
    for (std::size_t i = 0; i < untagged.size() && !found; ++i) {
      matcher_.numbers = moments[i];
      found = matcher_.untagged(pattern, untagged[i]);
    }
    if (!found) return "'" + commands_[0].command + "' did not get: " + ascii::escaped(pattern) + came;
  }
  for (const auto& pattern : must_not_) {
    for (std::size_t i = 0; i < untagged.size(); ++i) {
      matcher_.numbers = moments[i];
      if (matcher_.untagged(pattern, untagged[i])) return "'" + commands_[0].command + "' got: " + pattern;
    }
  }
  return {};
}

std::string Player::play() {
  if (!missing_.empty()) return "skipped: " + missing_;
  set_up();
  std::size_t at = 0;
  while (at < script_.size()) {
    auto trouble = group(at);
    if (!trouble.empty()) return trouble;
  }
  return {};
}

std::string corpora() {
  const char* const set = std::getenv("FACTEUR_CORPORA");
  return set != nullptr ? set : "../shared/corpora";
}

// Why a script cannot pass here. Each needs a reason from a standard, or names what we do not offer.
const std::map<std::string, std::string> known_failures;

}  // namespace

std::string play_script(const std::string& path, Bytes capabilities) { return Player(path, capabilities).play(); }

TEST_CASE("the imaptest scripts pass, but for those whose capabilities we do not have") {
  const auto folder = corpora() + "/imap-imaptest";
  if (!std::filesystem::exists(folder)) {
    MESSAGE("skipped: no corpus at " << folder);
    return;
  }
  std::string capabilities;
  {
    Stage stage;
    Client client(stage);
    client.log_in();
    capabilities = client.ask("CAPABILITY");
    capabilities.erase(capabilities.find("\r\n"));
  }
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const auto name = entry.path().filename().string();
    if (entry.is_regular_file() && name.find('.') == std::string::npos) names.push_back(name);
  }
  std::ranges::sort(names);
  int passed = 0;
  int skipped = 0;
  for (const auto& name : names) {
    const auto trouble = play_script(folder + "/" + name, capabilities);
    CAPTURE(name);
    if (trouble.starts_with("skipped")) {
      ++skipped;
    } else if (const auto known = known_failures.find(name); known != known_failures.end() && !trouble.empty()) {
      MESSAGE(name << ": " << known->second);
    } else {
      CHECK(trouble == "");
      passed += trouble.empty() ? 1 : 0;
    }
  }
  MESSAGE("imaptest: " << passed << " passed, " << skipped << " need capabilities we do not have, of " << names.size());
  CHECK(passed >= 24);
}

}  // namespace facteur::server::stage
