#include "flows.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <stdexcept>

#include "asker.hpp"
#include "site.hpp"
#include "stranger.hpp"
#include "town.hpp"

namespace facteur::simulation {

namespace {

enum class Fault : std::uint8_t { none, kill, power_cut, no_space, io, short_write };
constexpr std::array<std::pair<Fault, const char*>, 5> faults{{{Fault::kill, "kill"},
                                                               {Fault::power_cut, "power cut"},
                                                               {Fault::no_space, "ENOSPC"},
                                                               {Fault::io, "EIO"},
                                                               {Fault::short_write, "short write"}}};
constexpr bool ends_life(Fault fault) { return fault == Fault::kill || fault == Fault::power_cut; }

enum class Told : std::uint8_t { nothing, yes, no };

const IpAddress site_address = IpAddress::v4(127, 0, 1, 1);

// One server, one exchanger of others, one machine of a user: the same in every run of a flow.
class Stage {
 public:
  explicit Stage(mailbox::BulkSizes bulk = {})
      : world_(4711),
        site_(world_, parameters(bulk), founded_sites()[0].clone()),
        stranger_(world_, IpAddress::v4(127, 0, 3, 1), 1),
        post_(world_, {.addresses = {IpAddress::v4(127, 0, 9, 1)}, .shards = 1}) {
    world_.zone.add(
        "c.example MX 10 mx.c.example\nmx.c.example A 127.0.3.1\na.example MX 10 mx.a.example\n"
        "mx.a.example A 127.0.1.1");
    site_.start();
  }
  ~Stage() {
    post_.halt();
    work_.reset();
  }

  sim::World& world() { return world_; }
  Site& site() { return site_; }
  Stranger& stranger() { return stranger_; }
  sim::Machine& post() { return post_; }

  // Steps until `task` has ended or `limit` has passed. When the disk freezes the site ends as `fault` says.
  void run(Task<void> task, Fault fault = Fault::none, Duration limit = 1h) {
    work_ = std::make_unique<TaskGroup>();
    post_.shards.run(0, [&] { work_->start(std::move(task)); });
    const auto end = world_.timeline.now() + limit;
    while (!work_->empty() && world_.timeline.next() <= end) {
      world_.timeline.step();
      end_if_frozen(fault);
    }
    if (!work_->empty()) throw std::runtime_error("a client waits for ever");
    work_.reset();
  }
  void pass(Duration time, Fault fault = Fault::none) {
    const auto end = world_.timeline.now() + time;
    world_.timeline.at(end, 0, [] {});
    while (world_.timeline.next() <= end && world_.timeline.step()) end_if_frozen(fault);
  }
  // Runs until nothing waits in the queue.
  void settle() {
    for (int hours = 0; hours < 24 * 7 && !site_.queue_empty(); ++hours) pass(1h);
    if (!site_.queue_empty()) throw std::runtime_error("the queue is not empty after a week");
  }

  Told told = Told::nothing;
  Posted letter;

 private:
  static SiteParameters parameters(mailbox::BulkSizes bulk) {
    auto out = site_parameters(0);
    out.bulk = bulk;
    return out;
  }
  void end_if_frozen(Fault fault) {
    if (fault == Fault::none || !site_.disk_froze()) return;
    site_.end(fault == Fault::kill ? Site::End::kill : Site::End::power_cut);
  }

  sim::World world_;
  Site site_;
  Stranger stranger_;
  sim::Machine post_;
  std::unique_ptr<TaskGroup> work_;
};

// ---- the clients

// Posts one letter; told yes or no only if all recipients were answered alike.
Task<void> post(Stage& stage, std::string id, std::uint16_t port, std::vector<std::string> recipients,
                std::size_t size) {
  Errand errand;
  errand.letter = &stage.letter;
  errand.to = {site_address, port};
  errand.hello = "client.example";
  errand.lmtp = port == 24;
  stage.letter = {.id = id, .sender = "someone@elsewhere.example", .login = {}, .recipients = {}};
  if (port == 465) {
    errand.tls = trust_in_sites();
    errand.login = stage.letter.sender = "anne@a.example";
  }
  for (auto& recipient : recipients) stage.letter.recipients.emplace(std::move(recipient), Promise::unknown);
  errand.content = "X-Letter: " + id + "\r\nFrom: <anne@a.example>\r\nSubject: one\r\n\r\n";
  while (errand.content.size() < size) errand.content += "a line that is one of many in this letter\r\n";
  co_await post_letter(stage.post(), std::move(errand));
  const auto all = [&](Promise promise) {
    return std::ranges::all_of(stage.letter.recipients, [&](const auto& one) { return one.second == promise; });
  };
  stage.told = all(Promise::taken) ? Told::yes : all(Promise::refused) ? Told::no : Told::nothing;
}

// An IMAP session of anne's with her INBOX selected; what is told is the answer to the last command.
Task<void> imap(Stage& stage, std::vector<std::string> commands) {
  auto stream = co_await call(stage.post(), {site_address, 993}, true, trust_in_sites());
  if (!stream) co_return;
  Asker asker(std::move(*stream), stage.post().clock);
  bool good = co_await asker.greeted("* OK");
  commands.insert(commands.begin(), {"LOGIN anne@a.example secret", "SELECT INBOX"});
  for (std::size_t i = 0; good && i < commands.size(); ++i) {
    auto answer = co_await asker.ask(commands[i]);
    good = answer.has_value();
    stage.told = good && i + 1 == commands.size() ? Told::yes : asker.refused() ? Told::no : Told::nothing;
  }
}

Task<void> pop3(Stage& stage) {
  auto stream = co_await call(stage.post(), {site_address, 995}, true, trust_in_sites());
  if (!stream) co_return;
  Asker asker(std::move(*stream), stage.post().clock);
  bool good = co_await asker.greeted("+OK");
  for (const std::string command : {"USER anne@a.example", "PASS secret", "DELE 1", "QUIT"}) {
    if (!good) co_return;
    auto answer = co_await asker.say(command);
    good = answer.has_value();
    stage.told = good && command == "QUIT" ? Told::yes : asker.refused() ? Told::no : Told::nothing;
  }
}

// An operator's command; nothing is told if the server goes meanwhile.
Task<void> administer(Stage& stage, std::string request) {
  const auto reply = std::make_shared<std::optional<bool>>();
  stage.site().ask(std::move(request), reply);
  for (int i = 0; i < 600 && !*reply && stage.site().running(); ++i) {
    co_await stage.post().clock.sleep_until(stage.post().clock.now() + 100ms);
  }
  if (*reply) stage.told = **reply ? Told::yes : Told::no;
}

// ---- what is there

int count(const Holdings& holdings, const std::string& address, const std::string& folder, const std::string& id) {
  const auto at = holdings.mailboxes.find(address);
  if (at == holdings.mailboxes.end()) return 0;
  return static_cast<int>(std::ranges::count_if(
      at->second, [&](const auto& letter) { return letter.folder == folder && letter.id == id && !letter.report; }));
}
int reports(const Holdings& holdings, const std::string& id) {
  int sum = 0;
  for (const auto& [address, letters] : holdings.mailboxes) {
    sum += static_cast<int>(
        std::ranges::count_if(letters, [&](const auto& letter) { return letter.report && letter.id == id; }));
  }
  return sum;
}
int waiting(const Holdings& holdings, const std::string& id) {
  return static_cast<int>(
      std::ranges::count_if(holdings.queue, [&](const auto& one) { return one.id == id && !one.report; }));
}
int taken(Stage& stage, const std::string& id) {
  int sum = 0;
  for (const auto& [what, times] : stage.stranger().taken()) sum += what.first == id ? static_cast<int>(times) : 0;
  return sum;
}

// What `told` allows: all of it, nothing of it, or either; never a part.
std::string all_or_nothing(Told told, int there, int all) {
  const bool good = told == Told::yes ? there == all : told == Told::no ? there == 0 : there == 0 || there == all;
  if (good) return {};
  return std::to_string(there) + " of " + std::to_string(all) + " are there, the client was told " +
         (told == Told::yes  ? "yes"
          : told == Told::no ? "no"
                             : "nothing");
}

// ---- the flows. `wrong` is asked at once (if the server still runs), after the next start, and (last) at rest.
struct Flow {
  const char* name;
  Task<void> (*prepare)(Stage&);
  Task<void> (*act)(Stage&);
  std::string (*wrong)(Stage&, const Holdings&, bool last);
  Duration goes_on{};         // What the server does by itself afterwards.
  mailbox::BulkSizes bulk{};  // From so many messages on a change is a run.
};

constexpr mailbox::BulkSizes runs_of_two{.run_from = 2, .carry_parts = 1};

Task<void> nothing(Stage&) { co_return; }
Task<void> one_letter(Stage& stage) { co_await post(stage, "before", 25, {"anne@a.example"}, 3000); }
Task<void> with_archive(Stage& stage) {
  co_await one_letter(stage);
  co_await imap(stage, {"CREATE Archive"});
}

Task<void> accept(Stage& stage) { co_await post(stage, "new", 25, {"anne@a.example", "ada@a.example"}, 5000); }
Task<void> accept_large(Stage& stage) { co_await post(stage, "new", 25, {"anne@a.example", "ada@a.example"}, 200'000); }
std::string accept_wrong(Stage& stage, const Holdings& there, bool) {
  const int anne = count(there, "anne@a.example", "INBOX", "new"), ada = count(there, "ada@a.example", "INBOX", "new");
  return all_or_nothing(stage.told, anne + ada, 2);
}

Task<void> lmtp(Stage& stage) { co_await post(stage, "new", 24, {"anne@a.example", "ada@a.example"}, 5000); }
std::string lmtp_wrong(Stage& stage, const Holdings& there, bool) {
  for (const auto& [address, promise] : stage.letter.recipients) {
    const auto told = promise == Promise::taken ? Told::yes : promise == Promise::refused ? Told::no : Told::nothing;
    const auto wrong = all_or_nothing(told, count(there, address, "INBOX", "new"), 1);
    if (!wrong.empty()) return address + ": " + wrong;
  }
  return {};
}

// Local and remote recipients in one acceptance.
Task<void> submit(Stage& stage) { co_await post(stage, "new", 465, {"ada@a.example", "zoe@c.example"}, 5000); }
std::string submit_wrong(Stage& stage, const Holdings& there, bool last) {
  const int ada = count(there, "ada@a.example", "INBOX", "new");
  const bool zoe = taken(stage, "new") > 0 || waiting(there, "new") > 0;
  if (taken(stage, "new") > 2) return "delivered more than twice";
  if (last && waiting(there, "new") > 0) return "still waiting";
  return all_or_nothing(stage.told, ada + zoe, 2);
}

Task<void> append(Stage& stage) {
  co_await imap(stage, {"APPEND INBOX (\\Flagged) {22+}\r\nX-Letter: new\r\n\r\ntext\r\n"});
}
std::string append_wrong(Stage& stage, const Holdings& there, bool) {
  return all_or_nothing(stage.told, count(there, "anne@a.example", "INBOX", "new"), 1);
}

// The same with two letters: from so many on they are runs, of which a part is carried at a time.
Task<void> two_with_archive(Stage& stage) {
  co_await with_archive(stage);
  co_await post(stage, "other", 25, {"anne@a.example"}, 3000);
}
Task<void> copy_both(Stage& stage) { co_await imap(stage, {"COPY 1:2 Archive"}); }
Task<void> move_both(Stage& stage) { co_await imap(stage, {"MOVE 1:2 Archive"}); }
Task<void> expunge_both(Stage& stage) { co_await imap(stage, {"STORE 1:2 +FLAGS (\\Deleted)", "EXPUNGE"}); }
Task<void> store_both(Stage& stage) { co_await imap(stage, {"STORE 1:2 +FLAGS (\\Flagged)"}); }
Task<void> copy(Stage& stage) { co_await imap(stage, {"COPY 1 Archive"}); }
std::string copy_wrong(Stage& stage, const Holdings& there, bool) {
  if (count(there, "anne@a.example", "INBOX", "before") != 1) return "the original is gone";
  return all_or_nothing(stage.told, count(there, "anne@a.example", "Archive", "before"), 1);
}

Task<void> move(Stage& stage) { co_await imap(stage, {"MOVE 1 Archive"}); }
std::string move_wrong(Stage& stage, const Holdings& there, bool) {
  const int here = count(there, "anne@a.example", "INBOX", "before");
  const int archived = count(there, "anne@a.example", "Archive", "before");
  if (here + archived != 1) return "it is there " + std::to_string(here + archived) + " times";
  return all_or_nothing(stage.told, archived, 1);
}

Task<void> expunge(Stage& stage) { co_await imap(stage, {"STORE 1 +FLAGS (\\Deleted)", "EXPUNGE"}); }
Task<void> quit_pop3(Stage& stage) { co_await pop3(stage); }
std::string gone_wrong(Stage& stage, const Holdings& there, bool) {
  return all_or_nothing(stage.told, 1 - count(there, "anne@a.example", "INBOX", "before"), 1);
}

Task<void> store_flags(Stage& stage) { co_await imap(stage, {"STORE 1 +FLAGS (\\Flagged)"}); }
std::string flags_wrong(Stage& stage, const Holdings& there, bool) {
  if (count(there, "anne@a.example", "INBOX", "before") != 1) return "the letter is gone";
  return all_or_nothing(stage.told, there.mailboxes.at("anne@a.example").front().flagged, 1);
}

// A letter that waits because the other exchanger refuses for now; then it does not any more.
Task<void> deferred(Stage& stage) {
  stage.stranger().answer_letters("451 4.3.0 later");
  co_await post(stage, "before", 465, {"zoe@c.example"}, 3000);
  co_await stage.post().clock.sleep_until(stage.post().clock.now() + 10s);
  stage.told = Told::nothing;
}
Task<void> send_now(Stage& stage) {
  stage.stranger().answer_letters({});
  co_await administer(stage, R"({"command":"queue.retry"})");
}
std::string remote_wrong(Stage& stage, const Holdings& there, bool last) {
  const int got = taken(stage, "before");
  if (got > 2) return "delivered more than twice";
  if (got == 0 && waiting(there, "before") != 1) return "neither waiting nor delivered";
  return last && got == 0 ? "not delivered" : "";
}

Task<void> defer_again(Stage& stage) { co_await administer(stage, R"({"command":"queue.retry"})"); }
std::string retry_wrong(Stage& stage, const Holdings& there, bool last) {
  stage.stranger().answer_letters(last ? "" : "451 4.3.0 later");
  if (last) return remote_wrong(stage, there, false);
  return waiting(there, "before") == 1 ? "" : "it does not wait any more";
}

Task<void> bounce(Stage& stage) {
  stage.stranger().answer_letters("550 5.1.1 never");
  co_await administer(stage, R"({"command":"queue.retry"})");
}
std::string bounce_wrong(Stage&, const Holdings& there, bool last) {
  const int told = reports(there, "before"), waits = waiting(there, "before");
  const bool queued = std::ranges::any_of(there.queue, [](const auto& one) { return one.report; });
  if (told == 0 && waits == 0 && !queued) return "neither waiting nor returned";
  if (told > 1) return std::to_string(told) + " reports";
  return last && told != 1 ? "not returned" : "";
}

Task<void> add_account(Stage& stage) {
  co_await administer(stage, R"({"command":"account.add","address":"new@a.example","password":"secret"})");
}
std::string account_wrong(Stage& stage, const Holdings& there, bool) {
  return all_or_nothing(stage.told, there.mailboxes.contains("new@a.example"), 1);
}
Task<void> set_alias(Stage& stage) {
  co_await administer(stage, R"({"command":"alias.set","address":"fresh@a.example","targets":["ada@a.example"]})");
}
std::string alias_wrong(Stage& stage, const Holdings& there, bool) {
  return all_or_nothing(stage.told, there.aliases.contains("fresh@a.example"), 1);
}

constexpr std::array<Flow, 20> flows{{
    {"accept", nothing, accept, accept_wrong, {}},
    {"accept, streamed", nothing, accept_large, accept_wrong, {}},
    {"LMTP", nothing, lmtp, lmtp_wrong, {}},
    {"submission, local and remote", nothing, submit, submit_wrong, 30s},
    {"APPEND", nothing, append, append_wrong, {}},
    {"COPY", with_archive, copy, copy_wrong, {}},
    {"MOVE", with_archive, move, move_wrong, {}},
    {"EXPUNGE", one_letter, expunge, gone_wrong, {}},
    {"POP3 DELE, QUIT", one_letter, quit_pop3, gone_wrong, {}},
    {"STORE", one_letter, store_flags, flags_wrong, {}},
    {"remote delivery", deferred, send_now, remote_wrong, 30s},
    {"queue retry", deferred, defer_again, retry_wrong, 30s},
    {"bounce", deferred, bounce, bounce_wrong, 30s},
    {"configuration: account", nothing, add_account, account_wrong, {}},
    {"configuration: alias", nothing, set_alias, alias_wrong, {}},
    {"accept, then idle", nothing, accept, accept_wrong, 2h},
    {"COPY as a run", two_with_archive, copy_both, copy_wrong, 30s, runs_of_two},
    {"MOVE as a run", two_with_archive, move_both, move_wrong, 30s, runs_of_two},
    {"EXPUNGE as a run", two_with_archive, expunge_both, gone_wrong, 30s, runs_of_two},
    {"STORE as a run", two_with_archive, store_both, flags_wrong, 30s, runs_of_two},
}};

// ---- one run

struct Run {
  std::uint64_t from = 0, to = 0;  // Operations before the flow and at its end.
  Told told = Told::nothing;
  std::string wrong;
};

Run run_once(const Flow& flow, std::uint64_t point, Fault fault) {
  Run out;
  Stage stage(flow.bulk);
  stage.run(flow.prepare(stage));
  stage.pass(10s);
  stage.told = Told::nothing;
  stage.letter = {};
  sim::Disk& disk = stage.site().disk();
  out.from = disk.operations();
  if (ends_life(fault)) disk.crash_at(out.from + point);
  if (fault == Fault::no_space) disk.fail_at(out.from + point, sim::Disk::Error::no_space);
  if (fault == Fault::io) disk.fail_at(out.from + point, sim::Disk::Error::io);
  if (fault == Fault::short_write) disk.fail_at(out.from + point, sim::Disk::Error::short_write);
  stage.run(flow.act(stage), fault);
  stage.pass(flow.goes_on, fault);
  out.told = stage.told;
  if (stage.site().running()) {
    out.to = disk.operations();
    disk.crash_at(0);
    disk.fail_at(0, sim::Disk::Error::io, 0);
    const auto there = stage.site().holdings();
    if (!there.trouble.empty()) out.wrong = "while it runs: " + there.trouble.front();
    if (const auto why = flow.wrong(stage, there, false); !why.empty() && out.wrong.empty()) {
      out.wrong = "while it runs: " + why;
    }
    stage.site().end(Site::End::kill);
  }
  stage.site().start();
  const auto after = stage.site().holdings();
  if (!after.trouble.empty() && out.wrong.empty()) out.wrong = "after the next start: " + after.trouble.front();
  if (const auto why = flow.wrong(stage, after, false); !why.empty() && out.wrong.empty()) {
    out.wrong = "after the next start: " + why;
  }
  if (const auto why = flow.wrong(stage, after, true);
      flow.goes_on == Duration() && !why.empty() && out.wrong.empty()) {
    out.wrong = why;
  }
  if (flow.goes_on > Duration()) {
    stage.settle();
    const auto last = stage.site().holdings();
    if (const auto why = flow.wrong(stage, last, true); !why.empty() && out.wrong.empty())
      out.wrong = "at rest: " + why;
  }
  // And it works as before.
  stage.told = Told::nothing;
  stage.run(post(stage, "later", 25, {"anne@a.example"}, 1000));
  if (stage.told != Told::yes && out.wrong.empty()) out.wrong = "afterwards it takes no mail";
  return out;
}

}  // namespace

std::vector<std::string> flow_names() {
  std::vector<std::string> out;
  for (const auto& flow : flows) out.emplace_back(flow.name);
  return out;
}

FlowResult run_flow(const std::string& name) {
  const auto flow = std::ranges::find(flows, name, [](const auto& one) { return std::string(one.name); });
  FlowResult out{.name = name, .violations = {}};
  const auto plain = run_once(*flow, 0, Fault::none);
  out.operations = plain.to - plain.from;
  if (!plain.wrong.empty()) out.violations.push_back("without a fault: " + plain.wrong);
  if (plain.told != Told::yes) out.violations.emplace_back("without a fault: not answered with yes");
  for (const auto& [fault, called] : faults) {
    for (std::uint64_t point = 1; point <= out.operations; ++point) {
      ++out.runs;
      const auto where = std::string(called) + " at " + std::to_string(point) + ": ";
      try {
        const auto run = run_once(*flow, point, fault);
        ++(run.told == Told::yes ? out.yes : run.told == Told::no ? out.no : out.unknown);
        if (!run.wrong.empty()) out.violations.push_back(where + run.wrong);
      } catch (const std::exception& thrown) {
        out.violations.push_back(where + thrown.what());
      }
    }
  }
  return out;
}

}  // namespace facteur::simulation
