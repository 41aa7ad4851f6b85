#include "stranger.hpp"

#include <vector>

#include "base/ascii.hpp"
#include "base/assert.hpp"
#include "holdings.hpp"

namespace facteur::simulation {

struct Stranger::Visit {
  std::unique_ptr<world::Stream> stream;
  std::string got;
  std::vector<std::string> recipients;
  bool in_letter = false;
  bool refused = false;  // misbehave() has answered this command.
};

Stranger::Stranger(sim::World& world, const IpAddress& address, std::uint64_t seed)
    : machine_(world, {.addresses = {address}, .shards = 1}), chance_(seed) {
  machine_.shards.run(0, [&] {
    auto listener = machine_.network.listen({address, 25});
    CHECK_OR_BUG(listener);
    tasks_.start(receive(std::move(*listener)));
  });
}

Stranger::~Stranger() { machine_.halt(); }

Task<void> Stranger::receive(std::unique_ptr<world::Listener> listener) {
  for (;;) {
    auto stream = co_await listener->accept();
    if (!stream) co_return;
    tasks_.start(serve(std::move(*stream)));
  }
}

Task<bool> Stranger::say(Visit& visit, std::string reply) {
  reply += "\r\n";
  auto sent = co_await visit.stream->write(Bytes(reply), machine_.clock.now() + 5min);
  co_return sent.has_value();
}

Task<bool> Stranger::misbehave(Visit& visit, bool may_refuse) {
  visit.refused = false;
  if (!chance_.happens(moods_)) co_return true;
  ++faults_;
  switch (chance_.between(may_refuse ? 0 : 3, 5)) {
    case 0:
      visit.refused = true;
      co_return co_await say(visit, "450 4.2.0 not now");
    case 1:
      visit.refused = true;
      co_return co_await say(visit, "421 4.3.0 going away");
    case 2:
      visit.refused = true;
      co_return co_await say(visit, chance_.happens(300) ? "550 5.1.1 never" : "451 4.3.0 later");
    case 3:
      co_await machine_.clock.sleep_until(machine_.clock.now() + 30min);
      co_return false;
    case 4:
      co_await say(visit, "2");  // Half an answer.
      co_return false;
    default:
      co_return false;
  }
}

// The final dot has come.
Task<bool> Stranger::end_of_letter(Visit& visit) {
  visit.in_letter = false;
  const std::string id = letter_of(visit.got);
  const bool good = co_await misbehave(visit, true);
  if (!good) co_return false;  // Cut off after the dot: not taken.
  if (visit.refused) co_return true;
  if (!letters_.empty()) co_return co_await say(visit, letters_);
  for (const auto& recipient : visit.recipients) ++taken_[{id, recipient}];
  if (chance_.happens(moods_)) {
    ++lost_;
    ++faults_;
    if (chance_.happens(300)) co_await machine_.clock.sleep_until(machine_.clock.now() + 20min);
    co_return false;
  }
  co_return co_await say(visit, "250 2.0.0 taken");
}

Task<bool> Stranger::obey(Visit& visit, const std::string& line) {
  const auto verb = ascii::upper(line.substr(0, 4));
  if (verb == "QUIT") {
    co_await say(visit, "221 2.0.0 bye");
    co_return false;
  }
  const bool good = co_await misbehave(visit, true);
  if (!good) co_return false;
  if (visit.refused) co_return true;
  if (verb == "MAIL" || verb == "RSET" || verb == "EHLO" || verb == "HELO") visit.recipients.clear();
  if (verb == "RCPT") visit.recipients.push_back(line.substr(line.find('<') + 1, line.find('>') - line.find('<') - 1));
  if (verb == "DATA" && visit.recipients.empty()) co_return co_await say(visit, "503 5.5.1 no recipients");
  visit.in_letter = verb == "DATA";
  co_return co_await say(visit, visit.in_letter ? "354 go on" : "250 ok");
}

Task<void> Stranger::serve(std::unique_ptr<world::Stream> stream) {
  Visit visit{std::move(stream), {}, {}, false, false};
  bool good = co_await misbehave(visit, false);
  if (good) good = co_await say(visit, "220 mx.c.example");
  while (good) {
    const std::string_view mark = visit.in_letter ? "\r\n.\r\n" : "\r\n";
    const auto end = visit.got.find(mark);
    if (end != std::string::npos) {
      const std::string line = visit.got.substr(0, end);
      if (visit.in_letter)
        good = co_await end_of_letter(visit);
      else
        good = co_await obey(visit, line);
      visit.got.erase(0, end + mark.size());
      continue;
    }
    char room[1500];
    auto count = co_await visit.stream->read(room, machine_.clock.now() + 10min);
    good = count && *count > 0;
    if (good) visit.got.append(room, *count);
  }
  visit.stream->close();
}

}  // namespace facteur::simulation
