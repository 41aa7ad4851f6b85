#include "readers.hpp"

#include <iterator>
#include <memory>
#include <optional>
#include <vector>

#include "asker.hpp"
#include "base/ascii.hpp"

namespace facteur::simulation {

namespace {

std::uint64_t number_behind(std::string_view text, std::string_view word) {
  const auto at = text.find(word);
  if (at == std::string_view::npos) return 0;
  const auto digits = text.substr(at + word.size());
  const auto end = digits.find_first_not_of("0123456789");
  return ascii::number<std::uint64_t>(digits.substr(0, end)).value_or(0);
}

std::string id_in(std::string_view header) {
  const auto at = header.find("X-Letter: ");
  if (at == std::string_view::npos) return {};
  return std::string(header.substr(at + 10, header.find("\r\n", at) - at - 10));
}

// RFC 7162 §3.1: a modseq belongs to one state of one message, for ever.
void take_modseq(Reading& reading, std::uint64_t modseq, const Place& place, bool flagged) {
  const auto [known, fresh] = reading.modseqs.emplace(modseq, std::pair(place, flagged));
  if (!fresh && known->second != std::pair(place, flagged)) {
    reading.contradictions.push_back("modseq " + std::to_string(modseq) + " was given to uid " +
                                     std::to_string(known->second.first.second) + " and to uid " +
                                     std::to_string(place.second));
  }
  reading.highest_modseq = std::max(reading.highest_modseq, modseq);
}

// "* n FETCH (UID u FLAGS (...) MODSEQ (m) BODY[...] {k}" CRLF "X-Letter: id" ... one after the other.
void take_fetches(Reading& reading, std::uint32_t uidvalidity, std::string_view answer) {
  while (true) {
    const auto start = answer.find(" FETCH (");
    if (start == std::string_view::npos) return;
    answer.remove_prefix(start + 8);
    const auto one = answer.substr(0, answer.find(" FETCH ("));
    const auto uid = static_cast<std::uint32_t>(number_behind(one, "UID "));
    if (uid == 0 || one.find("BODY[") == std::string_view::npos) continue;  // News of flags only.
    const std::string id = id_in(one);
    const bool flagged = one.substr(0, one.find("BODY")).find("\\Flagged") != std::string_view::npos;
    const Place place{uidvalidity, uid};
    const auto [known, fresh] = reading.letters.emplace(place, id);
    if (!fresh && known->second != id)
      reading.contradictions.push_back("uid " + std::to_string(uid) + " was another letter");
    if (!flagged && reading.flagged.contains(place)) {
      reading.contradictions.push_back("uid " + std::to_string(uid) + " has lost its flag");
    }
    if (const auto leaving = reading.leaving.find(place); leaving != reading.leaving.end() && leaving->second.sure) {
      reading.contradictions.push_back("uid " + std::to_string(uid) + " has come back");
    }
    take_modseq(reading, number_behind(one, "MODSEQ ("), place, flagged);
  }
}

class Session {
 public:
  Session(sim::Machine& machine, Reading& reading, sim::Random& chance, std::unique_ptr<world::Stream> stream)
      : reading_(reading), chance_(chance), asker_(std::move(stream), machine.clock) {}

  Task<bool> begin() {
    const bool greeted = co_await asker_.greeted("* OK");
    if (!greeted) co_return false;
    if (reading_.server.port != 993) {
      auto begun = co_await asker_.ask("STARTTLS");
      if (!begun) co_return false;
      const bool encrypted = co_await asker_.encrypt(reading_.tls);
      if (!encrypted) co_return false;
    }
    auto logged_in = co_await asker_.ask("LOGIN " + reading_.address + " secret");
    if (!logged_in) co_return false;
    auto enabled = co_await asker_.ask("ENABLE CONDSTORE");
    if (!enabled) co_return false;
    co_return true;
  }

  Task<bool> read_inbox() {
    auto selected = co_await asker_.ask("SELECT INBOX");
    if (!selected) co_return false;
    ++reading_.sessions;
    uidvalidity_ = static_cast<std::uint32_t>(number_behind(*selected, "UIDVALIDITY "));
    const auto highest = number_behind(*selected, "HIGHESTMODSEQ ");
    if (highest < reading_.highest_modseq) reading_.contradictions.emplace_back("HIGHESTMODSEQ has fallen");
    const auto exists = number_behind(*selected, "* ");
    auto fetched = co_await asker_.ask("UID FETCH 1:* (UID FLAGS MODSEQ BODY.PEEK[HEADER.FIELDS (X-Letter)])");
    if (!fetched) co_return false;
    const auto before = reading_.letters.size();
    take_fetches(reading_, uidvalidity_, *fetched);
    if (exists > 0 && reading_.letters.empty() && before == 0) {
      reading_.contradictions.emplace_back("EXISTS without letters");
    }
    co_return true;
  }

  Task<bool> change() {
    if (chance_.happens(500)) {
      const bool good = co_await file();
      if (!good) co_return false;
    }
    std::vector<Place> places;
    for (const auto& [place, id] : reading_.letters) {
      // Reports (without an id) stay: they are the proof that a sender was told.
      if (place.first == uidvalidity_ && !id.empty() && !reading_.leaving.contains(place)) places.push_back(place);
    }
    std::vector<Place> moving, going;
    for (const auto& place : places) {
      const auto what = chance_.between(0, 9);
      if (what == 2) moving.push_back(place);
      if (what == 3) going.push_back(place);
      if (what > 1) continue;
      const bool good = co_await mark(place);
      if (!good) co_return false;
    }
    // One by one, or all at once.
    const bool together = chance_.happens(500);
    for (auto* leaving : {&moving, &going}) {
      while (!leaving->empty()) {
        const auto behind = together ? leaving->begin() : std::prev(leaving->end());
        const std::vector<Place> some(behind, leaving->end());
        leaving->erase(behind, leaving->end());
        const bool good = co_await remove(some, leaving == &moving);
        if (!good) co_return false;
      }
    }
    auto out = co_await asker_.ask("LOGOUT");
    co_return out.has_value();
  }

 private:
  Task<bool> mark(Place place) {
    auto stored = co_await asker_.ask("UID STORE " + std::to_string(place.second) + " +FLAGS.SILENT (\\Flagged)");
    // RFC 9051 §6.4.6: OK means it is done; here, that it survives everything.
    if (stored) reading_.flagged.insert(place);
    co_return stored.has_value();
  }

  Task<bool> remove(std::vector<Place> places, bool moves) {
    std::string uid;
    for (const auto& place : places) {
      uid += (uid.empty() ? "" : ",") + std::to_string(place.second);
      reading_.leaving[place] = {.moved = moves, .sure = false};
    }
    std::optional<std::string> done;
    if (moves) {
      auto made = co_await asker_.ask("STATUS Archive (MESSAGES)");
      if (!made) made = co_await asker_.ask("CREATE Archive");
      if (!made) co_return false;
      done = co_await asker_.ask("UID MOVE " + uid + " Archive");
    } else {
      done = co_await asker_.ask("UID STORE " + uid + " +FLAGS.SILENT (\\Deleted)");
      if (done) done = co_await asker_.ask("UID EXPUNGE " + uid);
    }
    for (const auto& place : places) {
      if (done) reading_.leaving[place].sure = true;
    }
    co_return done.has_value();
  }

  Task<bool> file() {
    const auto id = "filed-" + reading_.address + "-" + std::to_string(reading_.filed.size());
    reading_.filed[id] = false;
    const auto text = "X-Letter: " + id + "\r\nSubject: filed\r\n\r\nkept\r\n";
    auto done = co_await asker_.ask("APPEND INBOX {" + std::to_string(text.size()) + "+}\r\n" + text);
    if (done) reading_.filed[id] = true;
    co_return done.has_value();
  }

  Reading& reading_;
  sim::Random& chance_;
  Asker asker_;
  std::uint32_t uidvalidity_ = 0;
};

}  // namespace

Task<void> read_mail(sim::Machine& machine, Reading& reading, sim::Random& chance) {
  auto stream = co_await call(machine, reading.server, reading.server.port == 993, reading.tls);
  if (!stream) co_return;
  Session session(machine, reading, chance, std::move(*stream));
  bool good = co_await session.begin();
  if (good) good = co_await session.read_inbox();
  if (good) co_await session.change();
}

Task<void> collect_mail(sim::Machine& machine, Collecting& collecting, sim::Random& chance) {
  auto stream = co_await call(machine, collecting.server, true, collecting.tls);
  if (!stream) co_return;
  Asker asker(std::move(*stream), machine.clock);
  const bool greeted = co_await asker.greeted("+OK");
  if (!greeted) co_return;
  auto user = co_await asker.say("USER " + collecting.address);
  if (user) user = co_await asker.say("PASS secret");
  if (user) user = co_await asker.say("UIDL");
  if (!user) co_return;
  auto listed = co_await asker.until(".\r\n");
  if (!listed) co_return;
  ++collecting.sessions;
  std::vector<std::string> leaving;
  for (std::size_t number = 1; !listed->empty(); ++number) {
    const auto uidl = listed->substr(listed->find(' ') + 1, listed->find("\r\n") - listed->find(' ') - 1);
    listed->erase(0, listed->find("\r\n") + 2);
    if (const auto gone = collecting.removed.find(uidl); gone != collecting.removed.end() && gone->second) {
      collecting.contradictions.push_back("UIDL " + uidl + " has come back");
    }
    auto top = co_await asker.say("TOP " + std::to_string(number) + " 0");
    std::optional<std::string> header;
    if (top) header = co_await asker.until("\r\n.\r\n");
    if (!header) co_return;
    const auto id = id_in(*header + "\r\n");
    const auto [known, fresh] = collecting.letters.emplace(uidl, id);
    // RFC 1939 §7: the id persists and names no other message.
    if (!fresh && known->second != id) collecting.contradictions.push_back("UIDL " + uidl + " was another letter");
    if (id.empty() || !chance.happens(300)) continue;  // Reports stay.
    auto deleted = co_await asker.say("DELE " + std::to_string(number));
    if (!deleted) co_return;
    leaving.push_back(uidl);
  }
  for (const auto& uidl : leaving) collecting.removed.emplace(uidl, false);
  auto quit = co_await asker.say("QUIT");
  if (!quit) co_return;
  for (const auto& uidl : leaving) collecting.removed[uidl] = true;
}

}  // namespace facteur::simulation
