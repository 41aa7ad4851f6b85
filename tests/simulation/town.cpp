#include "town.hpp"

#include <algorithm>
#include <stdexcept>

namespace facteur::simulation {

namespace {

const IpAddress first_address = IpAddress::v4(127, 0, 1, 1);
const IpAddress second_address = IpAddress::v4(127, 0, 2, 1);
const IpAddress post_address = IpAddress::v4(127, 0, 9, 1);

// "X-Letter: 17" -> "17".
std::string letter_of(const std::string& text) {
  const std::string_view mark = "X-Letter: ";
  const auto at = text.find(mark);
  if (at == std::string::npos) return {};
  const auto end = text.find("\r\n", at);
  return text.substr(at + mark.size(), end - at - mark.size());
}

// Whether mail to this address can end in a mailbox.
bool reached(const std::string& address) {
  return !address.starts_with("nobody") && !address.starts_with("ring") && !address.starts_with("lost");
}

bool is_report(const std::string& text) { return text.find("multipart/report") != std::string::npos; }

SiteParameters site_parameters(std::size_t number) {
  if (number == 0) {
    return {"a.example",
            first_address,
            {"anne", "ada", "arno", "alix"},
            {{"team", {"alix@a.example", "blaise@b.example"}},
             {"ring", {"ring@b.example"}},
             {"lost", {"nobody@b.example"}}}};
  }
  return {"b.example", second_address, {"bob", "bea", "basile", "blaise"}, {{"ring", {"ring@a.example"}}}};
}

// The sites with their people, stopped: made once a process, since passwords take longer than a whole run.
const std::vector<sim::Disk::Image>& founded_sites() {
  static const auto images = [] {
    std::vector<sim::Disk::Image> out;
    sim::World world(0);
    trust_in_sites();  // Draws, the first time: not from the chance of a world that must repeat.
    for (std::size_t i = 0; i < 2; ++i) {
      Site site(world, site_parameters(i));
      site.start();
      site.add_people();
      site.end(Site::End::stop);
      out.push_back(site.take_image());
    }
    return out;
  }();
  return images;
}

}  // namespace

Town::Town(std::uint64_t seed) : world_(seed), chance_(seed ^ 0xfac7e07) {}

void Town::build() {
  world_.zone.add(R"(
    a.example MX 10 mx.a.example
    b.example MX 10 mx.b.example
    mx.a.example A 127.0.1.1
    mx.b.example A 127.0.2.1
    1.1.0.127.in-addr.arpa PTR mx.a.example
  )");
  const auto& founded = founded_sites();
  for (std::size_t i = 0; i < founded.size(); ++i) {
    sites_.push_back(std::make_unique<Site>(world_, site_parameters(i), founded[i].clone()));
  }
  trust_ = trust_in_sites();
  post_ = std::make_unique<sim::Machine>(world_, sim::MachineParameters{.addresses = {post_address}, .shards = 1});
  for (auto& site : sites_) site->start();
}

Errand Town::next_errand(unsigned number) {
  static const std::vector<std::string> everybody{
      "anne@a.example",   "ada@a.example",  "arno@a.example",   "bob@b.example",    "bea@b.example",
      "basile@b.example", "team@a.example", "nobody@a.example", "nobody@b.example", "Postmaster@b.example"};
  auto& letter = ledger_.emplace_back();
  letter.id = std::to_string(ledger_.size());
  Errand errand;
  errand.letter = &letter;
  errand.hello = "customer" + std::to_string(number) + ".example";
  const auto site = chance_.between(0, 1);
  errand.to.address = site == 0 ? first_address : second_address;
  const bool submits = chance_.happens(600);
  errand.to.port = submits ? (chance_.happens(500) ? 587 : 465) : 25;
  if (submits || chance_.happens(500)) errand.tls = trust_;
  if (submits) errand.login = letter.login = letter.sender = site == 0 ? "anne@a.example" : "bob@b.example";
  if (!submits) letter.sender = chance_.happens(100) ? "" : "someone@elsewhere.example";
  const auto recipients = chance_.between(1, 4);
  for (std::uint64_t i = 0; i < recipients; ++i) {
    letter.recipients.emplace(everybody[chance_.between(0, everybody.size() - 1)], Promise::unknown);
  }
  errand.content = "X-Letter: " + letter.id + "\r\nFrom: <" + (letter.sender.empty() ? "x@y.example" : letter.sender) +
                   ">\r\nSubject: letter " + letter.id + "\r\n\r\n";
  // Some are large enough to be streamed into the log.
  const auto lines = chance_.happens(100) ? chance_.between(1000, 3000) : chance_.between(0, 30);
  for (std::uint64_t i = 0; i < lines; ++i) {
    errand.content += (i % 7 == 3 ? ".line " : "line ") + std::to_string(i) + " of letter " + letter.id + "\r\n";
  }
  return errand;
}

Task<void> Town::customer(unsigned number, unsigned letters) {
  for (unsigned i = 0; i < letters; ++i) {
    const auto pause = Duration(static_cast<Duration::rep>(chance_.between(0, 20'000'000'000)));
    co_await post_->clock.sleep_until(post_->clock.now() + pause);
    auto errand = next_errand(number);
    co_await post_letter(*post_, std::move(errand));
  }
}

Task<void> Town::reader(Reading& reading, unsigned sessions) {
  for (unsigned i = 0; i < sessions; ++i) {
    const auto pause = Duration(static_cast<Duration::rep>(chance_.between(0, 30'000'000'000)));
    co_await post_->clock.sleep_until(post_->clock.now() + pause);
    co_await read_mail(*post_, reading, chance_);
  }
}

void Town::write_letters() {
  for (const auto* who : {"anne@a.example", "bob@b.example", "blaise@b.example"}) {
    auto& reading = readings_.emplace_back();
    reading.address = who;
    reading.server.address = std::string_view(who).ends_with("a.example") ? first_address : second_address;
    reading.server.port = chance_.happens(500) ? 143 : 993;
    reading.tls = trust_;
    customers_->start(reader(reading, static_cast<unsigned>(chance_.between(0, 4))));
  }

  const auto customers = static_cast<unsigned>(chance_.between(2, 5));
  for (unsigned i = 0; i < customers; ++i) {
    customers_->start(customer(i, static_cast<unsigned>(chance_.between(2, 6))));
  }
}

void Town::plan_ends() {
  auto& weather = world_.internet.weather;
  if (chance_.happens(600)) {
    weather.reset_per_mille = static_cast<unsigned>(chance_.between(0, 200));
    weather.stalled_per_mille = static_cast<unsigned>(chance_.between(0, 50));
    weather.refused_per_mille = static_cast<unsigned>(chance_.between(0, 200));
  }
  weather.most_segment = chance_.happens(200) ? chance_.between(1, 40) : 1460;
  if (chance_.happens(300)) world_.zone.weather(sim::Zone::Weather::mixed);
  const auto now = world_.timeline.now();
  const auto count = chance_.between(0, 6);
  for (std::uint64_t i = 0; i < count; ++i) {
    const auto site = static_cast<std::size_t>(chance_.between(0, 1));
    if (chance_.happens(400)) {
      // At an operation of the disk: between a write and its sync as likely as anywhere.
      sites_[site]->disk().crash_at(sites_[site]->disk().operations() + chance_.between(1, 250));
      continue;
    }
    const auto when = now + Duration(static_cast<Duration::rep>(chance_.between(0, 90'000'000'000)));
    ends_.push_back({when, site, static_cast<Site::End>(chance_.between(0, 2))});
  }
}

void Town::end_site(std::size_t number, Site::End how) {
  sites_[number]->end(how);
  ++outcome_.ends;
  const auto away = Duration(static_cast<Duration::rep>(chance_.between(1'000'000, 200'000'000'000)));
  returns_.push_back({world_.timeline.now() + away, number});
}

void Town::step_until(const std::function<bool()>& done, Duration limit) {
  const auto end = world_.timeline.now() + limit;
  while (!done()) {
    for (std::size_t i = 0; i < sites_.size(); ++i) {
      if (sites_[i]->disk_froze()) end_site(i, Site::End::power_cut);
    }
    const auto now = world_.timeline.now();
    if (const auto due = std::ranges::find_if(ends_, [now](const auto& e) { return e.when <= now; });
        due != ends_.end()) {
      const auto planned = *due;
      ends_.erase(due);
      if (sites_[planned.site]->running()) end_site(planned.site, planned.how);
      continue;
    }
    if (const auto back = std::ranges::find_if(returns_, [now](const auto& r) { return r.when <= now; });
        back != returns_.end()) {
      const auto site = back->site;
      returns_.erase(back);
      // Half of the crashes come soon after the last one, some in the middle of the recovery.
      sites_[site]->start(storm_ && chance_.happens(500) ? chance_.between(1, chance_.happens(500) ? 30 : 300) : 0);
      if (!sites_[site]->disk_froze()) look(site);
      continue;
    }
    auto next = world_.timeline.next();
    for (const auto& e : ends_) next = std::min(next, e.when);
    for (const auto& r : returns_) next = std::min(next, r.when);
    if (next == Instant::never() || next > end) return;
    if (next < world_.timeline.next()) world_.timeline.at(next, 0, [] {});
    world_.timeline.step();
  }
}

void Town::calm_down() {
  world_.internet.weather = {};
  world_.zone.weather(sim::Zone::Weather::fair);
  ends_.clear();
  storm_ = false;
  for (auto& site : sites_) {
    if (site->running()) site->disk().crash_at(0);
  }
}

bool Town::at_rest() {
  return returns_.empty() && std::ranges::all_of(sites_, [](auto& site) {
           return site->running() && !site->disk_froze() && site->queue_empty();
         });
}

void Town::look(std::size_t number) {
  const auto inboxes = sites_[number]->inboxes();
  if (sites_[number]->disk_froze()) return;  // It crashed while we looked.
  for (const auto& [address, letters] : inboxes) {
    auto& before = seen_[address];
    std::map<std::pair<std::uint32_t, std::uint32_t>, std::string> now;
    for (const auto& letter : letters)
      now[{letter.uidvalidity, letter.uid}] = is_report(letter.text) ? "" : letter_of(letter.text);
    for (const auto& [uid, id] : before) {
      const auto at = now.find(uid);
      if (at == now.end())
        violation(address + ": uid " + std::to_string(uid.second) + " has vanished");
      else if (at->second != id)
        violation(address + ": uid " + std::to_string(uid.second) + " names another letter");
    }
    before = std::move(now);
  }
}

// What readers were told must still be so.
void Town::check_readings() {
  for (const auto& reading : readings_) {
    outcome_.sessions += reading.sessions;
    for (const auto& text : reading.contradictions) violation(reading.address + ": " + text);
    const auto& now = seen_[reading.address];
    for (const auto& [uid, id] : reading.letters) {
      const auto at = now.find(uid);
      if (at == now.end() || at->second != id) {
        violation(reading.address + ": the reader saw uid " + std::to_string(uid.second) + " as letter " + id);
      }
    }
    const auto kept = inboxes_.find(reading.address);
    if (kept == inboxes_.end()) continue;
    for (const auto& letter : kept->second) {
      if (!letter.flagged && reading.flagged.contains({letter.uidvalidity, letter.uid})) {
        violation(reading.address + ": uid " + std::to_string(letter.uid) + " has lost the flag it was given");
      }
    }
  }
}

void Town::check() {
  for (const auto& event : world_.events.seen()) {
    if (event.name.find("bug") != std::string::npos) violation("a bug was caught: " + event.name);
  }
  std::map<std::pair<std::string, std::string>, int> copies;   // (letter, address)
  std::map<std::pair<std::string, std::string>, int> reports;  // (letter, to whom)
  for (std::size_t i = 0; i < sites_.size(); ++i) {
    look(i);
    for (const auto& why : sites_[i]->trouble()) violation("damaged: " + why);
    for (auto& [address, letters] : sites_[i]->inboxes()) {
      std::uint32_t last = 0;
      for (const auto& letter : letters) {
        if (letter.uid <= last) violation(address + ": uids do not rise");
        last = letter.uid;
        ++(is_report(letter.text) ? reports : copies)[{letter_of(letter.text), address}];
      }
      inboxes_[address] = letters;
    }
  }
  check_readings();
  const std::map<std::string, std::vector<std::string>> leads_to{
      {"team@a.example", {"alix@a.example", "blaise@b.example"}}, {"Postmaster@b.example", {"bob@b.example"}}};
  // Reports go to senders who have a mailbox here, and to the postmasters for the letters of strangers.
  const auto told = [&reports](const Posted& letter) {
    return letter.sender.empty() || reports[{letter.id, letter.sender}] > 0 ||
           reports[{letter.id, "anne@a.example"}] > 0 || reports[{letter.id, "bob@b.example"}] > 0;
  };
  const bool calm = outcome_.ends == 0 && world_.events.count("delivery_recipient_deferred") == 0;
  for (const auto& letter : ledger_) {
    std::map<std::string, std::pair<int, int>> wanted;  // Address -> least, most.
    for (const auto& [recipient, promise] : letter.recipients) {
      const bool exists = reached(recipient);
      if (promise == Promise::taken) ++outcome_.promised;
      if (!exists) {
        if (promise == Promise::taken && !told(letter)) {
          violation("letter " + letter.id + " to " + recipient + ": taken, neither delivered nor returned");
        }
        continue;
      }
      const auto at = leads_to.find(recipient);
      const auto ends = at == leads_to.end() ? std::vector<std::string>{recipient} : at->second;
      for (const auto& end : ends) {
        auto& [least, most] = wanted[end];
        if (promise == Promise::taken) least = std::max(least, 1);
        if (promise != Promise::refused) ++most;
      }
    }
    for (const auto& [address, range] : wanted) {
      const int count = copies[{letter.id, address}];
      outcome_.copies += static_cast<std::size_t>(count);
      const auto name = "letter " + letter.id + " to " + address + ": " + std::to_string(count) + " copies";
      if (count < range.first && !told(letter)) violation(name + ", it was taken");
      if (range.second == 0 && count > 0) violation(name + ", it was refused");
      if (count > 1) {
        ++outcome_.doubles;
        // More than one needs a reason: a crash, or a reply that was lost between servers (RFC 1047).
        if (calm && count > range.second) violation(name + " without a reason");
      }
    }
  }
}

Outcome Town::run(bool keep_log) {
  try {
    build();
    plan_ends();
    write_letters();
    const auto start = world_.timeline.now();
    step_until([this] { return customers_->empty(); }, 24h);
    if (!customers_->empty()) violation("a customer still waits after a day");
    calm_down();
    int looks = 0;
    const auto rests = [this, &looks] { return ++looks % 64 == 0 && at_rest(); };
    step_until(rests, 24h * 8);
    if (!at_rest()) violation("the queues are not empty after eight days of fair weather");
    check();
    outcome_.lasted = world_.timeline.now() - start;
  } catch (const std::exception& thrown) {
    violation(std::string("exception: ") + thrown.what());
  }
  outcome_.letters = ledger_.size();
  outcome_.hash = world_.hash();
  if (keep_log || !outcome_.violations.empty()) outcome_.log = world_.events.text();
  // Frames before what they stand on.
  post_->halt();
  customers_.reset();
  return std::move(outcome_);
}

}  // namespace facteur::simulation
