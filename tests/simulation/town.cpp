#include "town.hpp"

#include <algorithm>
#include <ranges>
#include <stdexcept>

namespace facteur::simulation {

namespace {

const IpAddress first_address = IpAddress::v4(127, 0, 1, 1);
const IpAddress second_address = IpAddress::v4(127, 0, 2, 1);
const IpAddress stranger_address = IpAddress::v4(127, 0, 3, 1);
const IpAddress post_address = IpAddress::v4(127, 0, 9, 1);

// Whether mail to this address can end in a mailbox.
bool reached(const std::string& address) {
  return !address.starts_with("nobody") && !address.starts_with("ring") && !address.starts_with("lost") &&
         !address.ends_with("c.example");
}

}  // namespace

SiteParameters site_parameters(std::size_t number) {
  if (number == 0) {
    return {"a.example",
            first_address,
            {"anne", "ada", "arno", "alix"},
            {{"team", {"alix@a.example", "blaise@b.example"}},
             {"ring", {"ring@b.example"}},
             {"lost", {"nobody@b.example"}},
             {"far", {"zoe@c.example"}}}};
  }
  return {"b.example", second_address, {"bob", "bea", "basile", "blaise"}, {{"ring", {"ring@a.example"}}}};
}

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

Town::Town(std::uint64_t seed, Cuts cuts, Plant plant)
    : seed_(seed), world_(seed), chance_(seed ^ 0xfac7e07), cuts_(cuts), plant_(plant) {}
Town::~Town() = default;

void Town::build() {
  world_.zone.add(R"(
    a.example MX 10 mx.a.example
    b.example MX 10 mx.b.example
    c.example MX 10 mx.c.example
    mx.c.example A 127.0.3.1
    mx.a.example A 127.0.1.1
    mx.b.example A 127.0.2.1
    1.1.0.127.in-addr.arpa PTR mx.a.example
  )");
  const auto& founded = founded_sites();
  for (std::size_t i = 0; i < founded.size(); ++i) {
    auto parameters = site_parameters(i);
    parameters.plant = plant_;
    // Nobody has hundreds of letters here, so in two worlds of three fewer make a run (mailbox/placement_runs.hpp).
    if (seed_ % 3 != 0) parameters.bulk = {.run_from = seed_ % 3, .carry_parts = seed_ % 2 + 1};
    sites_.push_back(std::make_unique<Site>(world_, std::move(parameters), founded[i].clone()));
  }
  trust_ = trust_in_sites();
  post_ = std::make_unique<sim::Machine>(world_, sim::MachineParameters{.addresses = {post_address}, .shards = 1});
  stranger_ = std::make_unique<Stranger>(world_, stranger_address, chance_.branch());
  for (auto& site : sites_) site->start();
  plan_cuts();
}

Errand Town::next_errand(unsigned number) {
  static const std::vector<std::string> everybody{
      "anne@a.example",   "ada@a.example",  "arno@a.example",   "bob@b.example",    "bea@b.example",
      "basile@b.example", "team@a.example", "nobody@a.example", "nobody@b.example", "Postmaster@b.example",
      "zoe@c.example",    "yann@c.example", "far@a.example"};
  auto& letter = ledger_.emplace_back();
  letter.id = std::to_string(ledger_.size());
  Errand errand;
  errand.letter = &letter;
  errand.hello = "customer" + std::to_string(number) + ".example";
  const auto site = chance_.between(0, 1);
  errand.to.address = site == 0 ? first_address : second_address;
  const bool submits = chance_.happens(600);
  errand.lmtp = !submits && chance_.happens(300);
  errand.to.port = submits ? (chance_.happens(500) ? 587 : 465) : errand.lmtp ? 24 : 25;
  if (submits || (!errand.lmtp && chance_.happens(500))) errand.tls = trust_;
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

Task<void> Town::collector(Collecting& collecting, unsigned sessions) {
  for (unsigned i = 0; i < sessions; ++i) {
    const auto pause = Duration(static_cast<Duration::rep>(chance_.between(0, 40'000'000'000)));
    co_await post_->clock.sleep_until(post_->clock.now() + pause);
    co_await collect_mail(*post_, collecting, chance_);
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

  auto& collecting = collectings_.emplace_back();
  collecting.address = "bea@b.example";
  collecting.server = {second_address, 995};
  collecting.tls = trust_;
  customers_->start(collector(collecting, static_cast<unsigned>(chance_.between(0, 3))));

  const auto customers = static_cast<unsigned>(chance_.between(2, 5));
  for (unsigned i = 0; i < customers; ++i) {
    customers_->start(customer(i, static_cast<unsigned>(chance_.between(2, 6))));
  }
}

Duration Town::some_time(std::uint64_t most_ms) {
  return std::chrono::milliseconds(static_cast<std::int64_t>(chance_.between(0, most_ms)));
}

void Town::plan_weather() {
  auto& weather = world_.internet.weather;
  if (chance_.happens(600)) {
    weather.reset_per_mille = static_cast<unsigned>(chance_.between(0, 200));
    weather.stalled_per_mille = static_cast<unsigned>(chance_.between(0, 50));
    weather.refused_per_mille = static_cast<unsigned>(chance_.between(0, 200));
  }
  weather.most_segment = chance_.happens(200) ? chance_.between(1, 40) : 1460;
  if (chance_.happens(500)) stranger_->moods(static_cast<unsigned>(chance_.between(0, 250)));
  if (chance_.happens(300)) world_.zone.weather(sim::Zone::Weather::mixed);
  // Answers that change: DNS breaks for a while, an exchanger moves to where nobody is, and back.
  const auto changes = chance_.happens(400) ? chance_.between(1, 4) : 0;
  for (std::uint64_t i = 0; i < changes; ++i) {
    const auto which = static_cast<sim::Zone::Weather>(chance_.between(0, 3));
    at(some_time(120'000), [this, which] {
      if (storm_) world_.zone.weather(which);
    });
  }
  if (chance_.happens(200)) {
    at(some_time(60'000), [this] {
      if (!storm_) return;
      world_.zone.erase("mx.b.example");
      world_.zone.add("mx.b.example A 127.0.8.8");
    });
    at(some_time(60'000) + 60s, [this] { mend_zone(); });
  }
  // Calendars are set, by an hour or by years (RELIABILITY R11).
  if (chance_.happens(300)) {
    static constexpr std::int64_t hours[] = {-1, 1, -26, 26, -24 * 3650, 24 * 3650};
    const auto by = std::chrono::hours(hours[chance_.between(0, std::size(hours) - 1)]);
    const auto site = static_cast<std::size_t>(chance_.between(0, 1));
    at(some_time(90'000), [this, by, site] { sites_[site]->step_calendar(by); });
  }
}

void Town::mend_zone() {
  world_.zone.erase("mx.b.example");
  world_.zone.add("mx.b.example A 127.0.2.1");
}

void Town::at(Duration from_now, std::function<void()> what) {
  world_.timeline.at(world_.timeline.now() + from_now, 0, std::move(what));
}

void Town::plan_ends() {
  plan_weather();
  const auto now = world_.timeline.now();
  const auto count = chance_.between(0, 6);
  for (std::uint64_t i = 0; i < count; ++i) {
    const auto site = static_cast<std::size_t>(chance_.between(0, 1));
    if (chance_.happens(400)) {
      // At an operation of the disk: between a write and its sync as likely as anywhere.
      sites_[site]->disk().crash_at(sites_[site]->disk().operations() + chance_.between(1, 250));
      continue;
    }
    ends_.push_back({now + some_time(90'000), site, static_cast<Site::End>(chance_.between(0, 2))});
  }
  for (auto& site : sites_) plan_disk_faults(*site);
}

// An operation fails, or the disk is full for a while.
void Town::plan_disk_faults(Site& site) {
  if (chance_.happens(250)) {
    const auto error = static_cast<sim::Disk::Error>(chance_.between(0, 2));
    site.disk().fail_at(site.disk().operations() + chance_.between(1, 250), error, chance_.between(1, 3));
    return;
  }
  if (!chance_.happens(150)) return;
  const auto room = chance_.between(0, 900'000);
  at(some_time(60'000), [this, &site, room] {
    if (!storm_ || !site.running() || site.disk_froze()) return;
    const auto space = site.disk().space();
    if (space) site.disk().limit(space->total_bytes - space->free_bytes + room);
  });
  at(some_time(60'000) + 60s, [&site] {
    if (site.running()) site.disk().limit(1ULL << 40);
  });
}

// From time to time: what would be left if the power of the whole town went now?
void Town::plan_cuts() {
  for (auto& site : sites_) {
    if (cuts_.most == 0) return;
    if (!site->running() || site->surveyed) continue;
    site->surveyed = true;
    const auto point = site->disk().operations() + chance_.between(1, cuts_.every);
    site->disk().survey_at(point, chance_.next(), [this, which = site.get()](sim::Disk::Image image) {
      which->surveyed = false;
      surveys_.push_back({which, world_.timeline.steps(), std::move(image)});
    });
  }
}

void Town::look_at_cuts() {
  while (!surveys_.empty()) {
    auto [where, step, image] = std::move(surveys_.back());
    surveys_.pop_back();
    if (cuts_.most == 0 || step != world_.timeline.steps()) continue;
    --cuts_.most;
    ++outcome_.cuts;
    std::vector<Holdings> left;
    for (auto& site : sites_) {
      left.push_back(after_cut(site.get() == where ? std::move(image) : site->as_cut(chance_.next()), chance_.next()));
    }
    const auto before = outcome_.violations.size();
    check_holdings(left);
    for (auto i = before; i < outcome_.violations.size(); ++i) {
      outcome_.violations[i] +=
          " (in a cut of the whole town at " + std::to_string((world_.timeline.now() - Instant{}) / 1ms) + " ms)";
    }
  }
  plan_cuts();
}

void Town::end_site(std::size_t number, Site::End how) {
  sites_[number]->end(how);
  sites_[number]->surveyed = false;
  ++outcome_.ends;
  if (chance_.happens(150)) outcome_.damaged += sites_[number]->damage_index(chance_);
  const auto away = Duration(static_cast<Duration::rep>(chance_.between(1'000'000, 200'000'000'000)));
  returns_.push_back({world_.timeline.now() + away, number});
}

void Town::step_until(const std::function<bool()>& done, Duration limit) {
  const auto end = world_.timeline.now() + limit;
  while (!done()) {
    for (std::size_t i = 0; i < sites_.size(); ++i) {
      if (sites_[i]->disk_froze()) end_site(i, Site::End::power_cut);
    }
    if (!surveys_.empty()) look_at_cuts();
    // A server whose log has failed is ended by its keeper.
    if (++steps_ % 128 == 0) {
      for (std::size_t i = 0; i < sites_.size(); ++i) {
        if (sites_[i]->running() && !sites_[i]->disk_froze() && sites_[i]->read_only()) end_site(i, Site::End::kill);
      }
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
      plan_cuts();
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
  mend_zone();
  stranger_->moods(0);
  ends_.clear();
  storm_ = false;
  for (auto& site : sites_) {
    if (!site->running()) continue;
    site->disk().crash_at(0);
    site->disk().fail_at(0, sim::Disk::Error::io, 0);
    site->disk().limit(1ULL << 40);
  }
}

bool Town::at_rest() {
  return returns_.empty() && std::ranges::all_of(sites_, [](auto& site) {
           return site->running() && !site->disk_froze() && !site->read_only() && site->queue_empty();
         });
}

// ---- what must be true

// The letters with this id that a reader has taken away, or may have.
bool Town::may_be_removed(const std::string& address, const std::string& id) const {
  for (const auto& reading : readings_) {
    if (reading.address != address) continue;
    for (const auto& [place, leaving] : reading.leaving) {
      if (reading.letters.at(place) == id && !(leaving.moved && leaving.sure)) return true;
    }
  }
  for (const auto& collecting : collectings_) {
    if (collecting.address != address) continue;
    for (const auto& uidl : collecting.removed | std::views::keys) {
      if (collecting.letters.at(uidl) == id) return true;
    }
  }
  return false;
}

// Compares the INBOXes of a site with what was seen of them before.
void Town::look(std::size_t number) {
  const auto holdings = sites_[number]->holdings();
  if (sites_[number]->disk_froze()) return;  // It crashed while we looked.
  for (const auto& why : holdings.trouble) violation("damaged: " + why);
  for (const auto& [address, letters] : holdings.mailboxes) {
    auto& before = seen_[address];
    std::map<Place, std::string> now;
    for (const auto& letter : letters) {
      if (letter.folder == "INBOX") now[{letter.uidvalidity, letter.uid}] = letter.report ? "" : letter.id;
    }
    for (const auto& [uid, id] : before) {
      const auto at = now.find(uid);
      if (at == now.end() && !may_be_removed(address, id) && !has_moved(address, uid))
        violation(address + ": uid " + std::to_string(uid.second) + " has vanished");
      else if (at != now.end() && at->second != id)
        violation(address + ": uid " + std::to_string(uid.second) + " names another letter");
    }
    before = std::move(now);
  }
}

bool Town::has_moved(const std::string& address, const Place& place) const {
  return std::ranges::any_of(
      readings_, [&](const auto& reading) { return reading.address == address && reading.leaving.contains(place); });
}

// What one reader was told must be so.
void Town::check_reading(const Reading& reading, const std::vector<Letter>& letters, std::uint64_t highest) {
  std::map<Place, const Letter*> inbox;
  std::map<std::string, unsigned> anywhere, archived;
  for (const auto& letter : letters) {
    if (letter.folder == "INBOX") inbox[{letter.uidvalidity, letter.uid}] = &letter;
    ++anywhere[letter.id];
    if (letter.folder == "Archive") ++archived[letter.id];
  }
  const auto wrong = [&](const Place& place, const std::string& what) {
    violation(reading.address + ": uid " + std::to_string(place.second) + " (letter " + reading.letters.at(place) +
              ") " + what);
  };
  if (highest < reading.highest_modseq) violation(reading.address + ": the highest modseq has fallen");
  for (const auto& [place, id] : reading.letters) {
    const auto there = inbox.find(place);
    const auto leaving = reading.leaving.find(place);
    if (there != inbox.end() && !there->second->report && there->second->id != id) wrong(place, "is another letter");
    if (leaving == reading.leaving.end()) {
      if (there == inbox.end()) wrong(place, "was seen, and is gone");
      if (there != inbox.end() && reading.flagged.contains(place) && !there->second->flagged) {
        wrong(place, "has lost the flag it was given");
      }
      continue;
    }
    if (leaving->second.sure && there != inbox.end()) wrong(place, "was taken away, and is back");
    if (leaving->second.moved && there == inbox.end() && archived[id] == 0) wrong(place, "was moved, and is nowhere");
  }
  for (const auto& [id, sure] : reading.filed) {
    if (sure && anywhere[id] == 0 && !may_be_removed(reading.address, id)) {
      violation(reading.address + ": " + id + " was appended, and is nowhere");
    }
  }
}

namespace {

// Where the letters of the whole town are.
struct Found {
  std::map<std::pair<std::string, std::string>, int> copies;  // (letter, address)
  std::set<std::pair<std::string, std::string>> waiting;      // (letter, recipient)
  std::set<std::string> waiting_ids, reported;
};

Found find_letters(const std::vector<Holdings>& sites) {
  Found out;
  for (const auto& site : sites) {
    for (const auto& [address, letters] : site.mailboxes) {
      for (const auto& letter : letters) {
        if (letter.report)
          out.reported.insert(letter.id);
        else
          ++out.copies[{letter.id, address}];
      }
    }
    for (const auto& waiting : site.queue) {
      if (waiting.report) {
        out.reported.insert(waiting.id);
      } else {
        out.waiting.emplace(waiting.id, waiting.recipient);
        out.waiting_ids.insert(waiting.id);
      }
    }
  }
  return out;
}

// Where mail to this address ends.
std::vector<std::string> ends_of(const std::string& recipient) {
  static const std::map<std::string, std::vector<std::string>> leads_to{
      {"team@a.example", {"alix@a.example", "blaise@b.example"}},
      {"Postmaster@b.example", {"bob@b.example"}},
      {"far@a.example", {"zoe@c.example"}}};
  const auto at = leads_to.find(recipient);
  return at == leads_to.end() ? std::vector<std::string>{recipient} : at->second;
}

}  // namespace

// True at every moment, of what the disks hold: nothing that was promised is missing.
// Recipient -> how many letters without a return path were refused to it for good.
std::map<std::string, int, std::less<>> Town::unreported_failures() const {
  std::map<std::string, int, std::less<>> out;
  for (const auto& event : world_.events.seen()) {
    if (event.name != "delivery_recipient_failed" || !event.field("sender").empty()) continue;
    if (event.field("report") == "none") ++out[std::string(event.field("recipient"))];
  }
  return out;
}

void Town::check_holdings(const std::vector<Holdings>& sites) {
  for (const auto& site : sites) {
    for (const auto& why : site.trouble) violation("damaged: " + why);
    for (const auto& [address, letters] : site.mailboxes) {
      std::set<std::uint64_t> modseqs;
      std::uint32_t last = 0;
      std::string folder;
      for (const auto& letter : letters) {
        if (std::exchange(folder, letter.folder) != letter.folder) last = 0;
        if (letter.uid <= last) violation(address + ": uids do not rise");
        last = letter.uid;
        // DECISIONS.md 1: one modseq per changed object, so no two are alike in an account.
        if (!modseqs.insert(letter.modseq).second) {
          violation(address + ": modseq " + std::to_string(letter.modseq) + " is there twice");
        }
      }
      for (const auto& reading : readings_) {
        if (reading.address != address) continue;
        const auto folders = site.highest.find(address);
        const auto highest = folders == site.highest.end() ? 0 : folders->second.at("INBOX");
        check_reading(reading, letters, highest);
      }
    }
  }
  const auto found = find_letters(sites);
  auto unreported = unreported_failures();
  for (const auto& letter : ledger_) {
    if (found.reported.contains(letter.id)) continue;  // Its sender, or a postmaster, was told.
    for (const auto& [recipient, promise] : letter.recipients) {
      if (promise != Promise::taken) continue;
      for (const auto& end : ends_of(recipient)) {
        const bool waits = found.waiting.contains({letter.id, recipient}) || found.waiting.contains({letter.id, end}) ||
                           (!reached(recipient) && found.waiting_ids.contains(letter.id));
        const bool there = found.copies.contains({letter.id, end}) || stranger_->taken().contains({letter.id, end}) ||
                           may_be_removed(end, letter.id);
        if (waits || there) continue;
        // RFC 5321 §4.5.5: what has no return path and is refused for good ends in the log, and there alone.
        if (letter.sender.empty() && unreported[end] > 0) {
          --unreported[end];
          continue;
        }
        violation("letter " + letter.id + " to " + end + ": taken, and nowhere");
      }
    }
  }
}

// True when all is settled: also nothing is there that should not be.
void Town::check_end() {
  for (const auto& event : world_.events.seen()) {
    if (event.name.find("bug") != std::string::npos) violation("a bug was caught: " + event.name);
  }
  std::vector<Holdings> sites;
  for (std::size_t i = 0; i < sites_.size(); ++i) {
    look(i);
    sites.push_back(sites_[i]->holdings());
  }
  check_holdings(sites);
  for (const auto& reading : readings_) {
    outcome_.sessions += reading.sessions;
    for (const auto& text : reading.contradictions) violation(reading.address + ": " + text);
  }
  for (const auto& collecting : collectings_) {
    outcome_.sessions += collecting.sessions;
    for (const auto& text : collecting.contradictions) violation(collecting.address + ": " + text);
  }
  auto found = find_letters(sites);
  const bool calm = outcome_.ends == 0 && world_.events.count("delivery_recipient_deferred") == 0;
  for (const auto& letter : ledger_) {
    std::map<std::string, int> most;
    for (const auto& [recipient, promise] : letter.recipients) {
      outcome_.promised += promise == Promise::taken;
      for (const auto& end : ends_of(recipient)) most[end] += promise != Promise::refused;
    }
    for (const auto& [address, allowed] : most) {
      const auto at_stranger = stranger_->taken().find({letter.id, address});
      const int count = at_stranger == stranger_->taken().end() ? found.copies[{letter.id, address}]
                                                                : static_cast<int>(at_stranger->second);
      outcome_.copies += static_cast<std::size_t>(count);
      const auto name = "letter " + letter.id + " to " + address + ": " + std::to_string(count) + " copies";
      // A failed sync is refused, and its octets may be on the disk all the same (store/log.cpp: take_back).
      if (allowed == 0 && count > 0 && world_.events.count("store_group_failed") == 0) {
        violation(name + ", it was refused");
      }
      if (count < 2) continue;
      ++outcome_.doubles;
      // More than one needs a reason: a crash, or a reply that was lost between servers (RFC 1047).
      if (calm && count > allowed) violation(name + " without a reason");
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
    check_end();
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
  stranger_.reset();
  return std::move(outcome_);
}

}  // namespace facteur::simulation
