#include "readers.hpp"

#include <memory>
#include <optional>

#include "base/ascii.hpp"

namespace facteur::simulation {

namespace {

// A connection that asks in words and gives back all that comes up to the tagged line.
class Asker {
 public:
  Asker(std::unique_ptr<world::Stream> stream, world::Clock& clock) : stream_(std::move(stream)), clock_(clock) {}

  // The whole answer, literals included; nullopt when the connection is gone or it was not OK.
  Task<std::optional<std::string>> ask(std::string command) {
    const std::string tag = "t" + std::to_string(++tags_);
    const std::string line = tag + " " + command + "\r\n";
    auto sent = co_await stream_->write(Bytes(line), clock_.now() + 1min);
    if (!sent) co_return std::nullopt;
    const std::string wanted = "\r\n" + tag + " ";
    for (;;) {
      const auto at = got_.starts_with(tag + " ") ? 0 : got_.find(wanted);
      const auto end = at == std::string::npos ? at : got_.find("\r\n", at + 2);
      if (end != std::string::npos) {
        auto answer = got_.substr(0, end);
        got_.erase(0, end + 2);
        if (answer.find(tag + " OK") == std::string::npos) co_return std::nullopt;
        co_return answer;
      }
      const bool more = co_await read_more();
      if (!more) co_return std::nullopt;
    }
  }
  Task<bool> encrypt(Trust trust) {
    if (!got_.empty()) co_return false;
    auto stream = co_await simulation::encrypt(std::move(stream_), std::move(trust), clock_.now() + 1min);
    if (!stream) co_return false;
    stream_ = std::move(*stream);
    co_return true;
  }
  Task<bool> greeted() {
    while (got_.find("\r\n") == std::string::npos) {
      const bool more = co_await read_more();
      if (!more) co_return false;
    }
    const bool good = got_.starts_with("* OK");
    got_.erase(0, got_.find("\r\n") + 2);
    co_return good;
  }

 private:
  Task<bool> read_more() {
    char room[700];
    auto count = co_await stream_->read(room, clock_.now() + 1min);
    if (!count || *count == 0) co_return false;
    got_.append(room, *count);
    co_return true;
  }

  std::unique_ptr<world::Stream> stream_;
  world::Clock& clock_;
  std::string got_;
  unsigned tags_ = 0;
};

std::uint32_t number_behind(std::string_view text, std::string_view word) {
  const auto at = text.find(word);
  if (at == std::string_view::npos) return 0;
  const auto digits = text.substr(at + word.size());
  const auto end = digits.find_first_not_of("0123456789");
  return ascii::number<std::uint32_t>(digits.substr(0, end)).value_or(0);
}

// "* n FETCH (UID u FLAGS (...) BODY[...] {k}" CRLF "X-Letter: id" ... one after the other.
void take_fetches(Reading& reading, std::uint32_t uidvalidity, std::string_view answer) {
  while (true) {
    const auto start = answer.find(" FETCH (");
    if (start == std::string_view::npos) return;
    answer.remove_prefix(start + 8);
    const auto one = answer.substr(0, answer.find(" FETCH ("));
    const auto uid = number_behind(one, "UID ");
    if (uid == 0 || one.find("BODY[") == std::string_view::npos) continue;  // News of flags only.
    std::string id;
    if (const auto at = one.find("X-Letter: "); at != std::string_view::npos) {
      id = one.substr(at + 10, one.find("\r\n", at) - at - 10);
    }
    const bool flagged = one.substr(0, one.find("BODY")).find("\\Flagged") != std::string_view::npos;
    const std::pair key{uidvalidity, uid};
    const auto [known, fresh] = reading.letters.emplace(key, id);
    if (!fresh && known->second != id)
      reading.contradictions.push_back("uid " + std::to_string(uid) + " was another letter");
    if (!flagged && reading.flagged.contains(key)) {
      reading.contradictions.push_back("uid " + std::to_string(uid) + " has lost its flag");
    }
  }
}

}  // namespace

Task<void> read_mail(sim::Machine& machine, Reading& reading, sim::Random& chance) {
  const bool implicit = reading.server.port == 993;
  auto stream = co_await call(machine, reading.server, implicit, reading.tls);
  if (!stream) co_return;
  Asker asker(std::move(*stream), machine.clock);
  const bool greeted = co_await asker.greeted();
  if (!greeted) co_return;
  if (!implicit) {
    auto begun = co_await asker.ask("STARTTLS");
    if (!begun) co_return;
    const bool encrypted = co_await asker.encrypt(reading.tls);
    if (!encrypted) co_return;
  }
  auto logged_in = co_await asker.ask("LOGIN " + reading.address + " secret");
  if (!logged_in) co_return;
  auto selected = co_await asker.ask("SELECT INBOX");
  if (!selected) co_return;
  ++reading.sessions;
  const auto uidvalidity = number_behind(*selected, "UIDVALIDITY ");
  const auto exists = number_behind(*selected, "* ");
  auto fetched = co_await asker.ask("UID FETCH 1:* (UID FLAGS BODY.PEEK[HEADER.FIELDS (X-Letter)])");
  if (!fetched) co_return;
  const auto before = reading.letters.size();
  take_fetches(reading, uidvalidity, *fetched);
  if (exists > 0 && reading.letters.empty() && before == 0 && selected->find(" 0 EXISTS") == std::string::npos) {
    reading.contradictions.push_back("EXISTS without letters");
  }
  std::vector<std::uint32_t> uids;
  for (const auto& [key, id] : reading.letters) {
    if (key.first == uidvalidity && chance.happens(200)) uids.push_back(key.second);
  }
  for (const auto uid : uids) {
    auto stored = co_await asker.ask("UID STORE " + std::to_string(uid) + " +FLAGS.SILENT (\\Flagged)");
    if (!stored) co_return;
    // RFC 9051 §6.4.6: OK means it is done; here, that it survives everything.
    reading.flagged.emplace(uidvalidity, uid);
  }
  auto out = co_await asker.ask("LOGOUT");
}

}  // namespace facteur::simulation
