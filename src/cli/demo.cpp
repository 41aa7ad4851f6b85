#include "cli/demo.hpp"

#include <fmt/format.h>
#include <stdlib.h>
#include <unistd.h>
#include <boost/json.hpp>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>

#include "base/base64.hpp"
#include "cli/demo_office.hpp"
#include "cli/line_client.hpp"
#include "message/date.hpp"

namespace facteur::cli {

namespace {

using Speech = Lesson::Speech;

const DemoProvider free_provider{"free", "free.example", "127.0.0.2", "fred", "Fred"};
const DemoProvider wanadoo{"wanadoo", "wanadoo.example", "127.0.0.3", "marc", "Marc"};

// The folder of the demonstration; goes with everything in it, unless it is to be kept.
class Folder {
 public:
  explicit Folder(const std::string& keep) : kept_(!keep.empty()), path_(keep) {
    std::error_code none;
    if (kept_) {
      std::filesystem::create_directories(path_, none);
      path_ = std::filesystem::absolute(path_, none).string();
      return;
    }
    std::string pattern = (std::filesystem::temp_directory_path(none) / "facteur-demo-XXXXXX").string();
    if (::mkdtemp(pattern.data())) path_ = pattern;
  }
  ~Folder() { remove(); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  const std::string& path() const { return path_; }
  void remove() {
    std::error_code none;
    if (!kept_ && !path_.empty()) std::filesystem::remove_all(path_, none);
  }

 private:
  bool kept_;
  std::string path_;
};

bool write_file(const std::string& path, const std::string& text) {
  std::ofstream file(path);
  file << text;
  file.close();
  return static_cast<bool>(file);
}

struct Demo {
  const Context& context;
  const DemoOptions& options;
  Folder folder;
  DemoPlace place;
  DemoOffice office[2];  // Free's and Wanadoo's.
  std::unique_ptr<host::World> world;
  Wakeup stop;
  int exit_code = ExitCode::failed;

  Demo(const Context& c, const DemoOptions& o)
      : context(c),
        options(o),
        folder(o.keep),
        place{folder.path(), o.base_port},
        office{DemoOffice(free_provider, place, c.language), DemoOffice(wanadoo, place, c.language)} {}

  std::string say(std::string_view key, std::initializer_list<std::string_view> values = {}) const {
    return context.say(key, values);
  }
  void step(std::string_view key, std::initializer_list<std::string_view> values = {}) const {
    print("\n━━ " + say(key, values) + "\n\n");
  }

  Result<void> open();
  Task<void> run();
  Task<Result<void>> round();
  Task<Result<LineClient>> call(const DemoProvider& provider, unsigned usual_port, Speech speech);
  Task<Result<void>> submit();
  Task<Result<void>> wait_for_mail();
  Task<Result<void>> read_by_pop3();
  Task<Result<void>> read_by_imap();
  void invite() const;
  void signal(int number);
};

Result<void> Demo::open() {
  if (folder.path().empty()) return failure(Failure::Kind::permanent, "F-6230", "No folder can be made");
  bool written = write_file(folder.path() + "/zone", demo_zone({free_provider, wanadoo}));
  for (const auto* provider : {&free_provider, &wanadoo}) {
    const std::string path = folder.path() + "/" + provider->name + ".toml";
    written = written && write_file(path, demo_configuration(*provider, place));
  }
  if (!written) return failure(Failure::Kind::permanent, "F-6231", "The folder cannot be written", folder.path());
  host::WorldOptions world_options;
  world_options.shards = 2;
  world_options.resolver.rest = host::ResolverOptions::Rest::not_exist;
  world_options.resolver.zone = demo_zone({free_provider, wanadoo});
  world_options.log.file = folder.path() + "/log";
  world_options.on_signal = [this](int number) { signal(number); };
  auto opened = host::World::open(std::move(world_options));
  if (!opened) return failed(opened);
  world = std::move(*opened);
  for (auto& one : office) {
    if (auto good = one.open(*world); !good) return good;
  }
  return {};
}

void Demo::signal(int number) {
  if (number != SIGTERM && number != SIGINT) return;
  if (stop.fired()) {  // Asked twice: at once, but still without leaving anything.
    folder.remove();
    std::_Exit(128 + number);
  }
  stop.fire();
}

Task<Result<LineClient>> Demo::call(const DemoProvider& provider, unsigned usual_port, Speech speech) {
  const Endpoint endpoint{*IpAddress::parse(provider.address), place.port(usual_port)};
  print(fmt::format("*** {} → {}\n", speech == Speech::smtp ? free_provider.full_name : wanadoo.full_name,
                    to_string(endpoint)));
  const Instant deadline = world->clock.now() + 10s;
  auto stream = co_await world->network.connect(endpoint, deadline);
  if (!stream) co_return failed(stream);
  co_return LineClient(show(std::move(*stream), std::make_shared<Dialogue>(context.language, speech)), world->clock);
}

// Step 1: the mail program hands the letter to the server of its provider.
Task<Result<void>> Demo::submit() {
  step("demo.step.submit");
  auto client = co_await call(free_provider, 587, Speech::smtp);
  if (!client) co_return failed(client);
  const std::string fred = free_provider.mailbox();
  const std::string marc = wanadoo.mailbox();
  std::string login = fred;
  login.insert(0, 1, '\0');
  login += '\0';
  login += demo_password;
  const std::string date = message::write_date(world->clock.utc(), 0);
  const std::string letter =
      "Date: " + date + "\r\nFrom: Fred <" + fred + ">\r\nTo: Marc <" + marc + ">\r\nSubject: " + say("demo.subject") +
      "\r\nMessage-ID: <" + to_hex(std::to_string(world->random.below(100000000))) + "@" + free_provider.domain +
      ">\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n" + say("demo.letter") + "\r\n.";
  const std::string words[] = {"",
                               "EHLO mua.fred.example",
                               "AUTH PLAIN " + to_base64(login),
                               "MAIL FROM:<" + fred + ">",
                               "RCPT TO:<" + marc + ">",
                               "DATA",
                               letter,
                               "QUIT"};
  for (const auto& word : words) {
    if (!word.empty()) {
      if (auto said = co_await client->say(word); !said) co_return said;
    }
    auto reply = co_await client->smtp_reply();
    if (!reply) co_return failed(reply);
    if (!reply->starts_with('2') && !reply->starts_with('3')) {
      co_return failure(Failure::Kind::permanent, "F-6232", "The server refused", *reply);
    }
  }
  co_return Result<void>();
}

// Steps 2 and 3 are shown by ShowingNetwork and TellingResolver while this waits for their end.
Task<Result<void>> Demo::wait_for_mail() {
  const Instant deadline = world->clock.now() + 20s;
  while (world->clock.now() < deadline && !stop.fired()) {
    const std::string reply = co_await office[1].command(R"({"command":"status"})");
    const auto status = boost::json::parse(reply);
    if (status.at("result").at("messages").as_int64() > 0) {
      co_await world->clock.sleep_until(world->clock.now() + 200ms);  // QUIT is still to be said.
      step("demo.step.file");
      print(say("demo.filed", {wanadoo.mailbox(), office[1].config().server.data}) + "\n");
      co_return Result<void>();
    }
    co_await world->clock.sleep_until(world->clock.now() + 50ms);
  }
  co_return failure(Failure::Kind::timed_out, "F-6233", "The message has not arrived", folder.path() + "/log");
}

Task<Result<void>> Demo::read_by_pop3() {
  step("demo.step.pop3");
  auto client = co_await call(wanadoo, 110, Speech::pop3);
  if (!client) co_return failed(client);
  const std::string words[] = {
      "", "USER " + wanadoo.mailbox(), "PASS " + std::string(demo_password), "STAT", "LIST", "RETR 1", "QUIT"};
  for (const auto& word : words) {
    if (!word.empty()) {
      if (auto said = co_await client->say(word); !said) co_return said;
    }
    const bool several = word == "LIST" || word == "RETR 1";
    auto reply = several ? co_await client->dotted() : co_await client->line();
    if (!reply) co_return failed(reply);
    if (!reply->starts_with("+OK")) {
      co_return failure(Failure::Kind::permanent, "F-6234", "The POP3 server refused", *reply);
    }
  }
  co_return Result<void>();
}

Task<Result<void>> Demo::read_by_imap() {
  step("demo.step.imap");
  auto client = co_await call(wanadoo, 143, Speech::imap);
  if (!client) co_return failed(client);
  if (auto greeting = co_await client->line(); !greeting) co_return failed(greeting);
  const std::string words[] = {"LOGIN " + wanadoo.mailbox() + " " + std::string(demo_password), "SELECT INBOX",
                               "FETCH 1 (FLAGS RFC822.SIZE ENVELOPE)", "LOGOUT"};
  int number = 0;
  for (const auto& word : words) {
    const std::string tag = "a" + std::to_string(++number);
    if (auto said = co_await client->say(tag + " " + word); !said) co_return said;
    auto reply = co_await client->tagged(tag);
    if (!reply) co_return failed(reply);
    if (!reply->starts_with(tag + " OK")) {
      co_return failure(Failure::Kind::permanent, "F-6235", "The IMAP server refused", *reply);
    }
  }
  co_return Result<void>();
}

Task<Result<void>> Demo::round() {
  print(say("demo.intro", {free_provider.domain, free_provider.address, wanadoo.domain, wanadoo.address}) + "\n");
  DemoOffice::Show sending{.name_asked =
                               [this](const std::string& question, const std::string& answer) {
                                 const bool first = question.find(" MX ") != std::string::npos;
                                 if (first) step("demo.step.look_up");
                                 print("??? " + question + "\n!!! " + (answer.empty() ? "-" : answer) + "\n");
                                 print("        " + say(first ? "demo.mx" : "demo.a") + "\n");
                               },
                           .connecting =
                               [this](const Endpoint& endpoint) {
                                 step("demo.step.relay");
                                 print("*** " + free_provider.host("smtp") + " → " + to_string(endpoint) + "\n");
                               }};
  DemoOffice::Show quiet{.name_asked = [](const std::string&, const std::string&) {},
                         .connecting = [](const Endpoint&) {}};
  if (auto good = co_await office[0].start(*world, std::move(sending)); !good) co_return good;
  if (auto good = co_await office[1].start(*world, std::move(quiet)); !good) co_return good;
  if (auto good = co_await submit(); !good) co_return good;
  if (auto good = co_await wait_for_mail(); !good) co_return good;
  if (auto good = co_await read_by_pop3(); !good) co_return good;
  co_return co_await read_by_imap();
}

// Lines to paste while the servers stay up.
void Demo::invite() const {
  step("demo.step.yourself");
  const auto& f = free_provider;
  const auto& w = wanadoo;
  const auto port = [this](unsigned usual) { return place.port(usual); };
  const auto line = [&](std::string_view key, const std::string& command) {
    print("# " + say(key) + "\n" + command + "\n\n");
  };
  line("demo.try.telnet", fmt::format("telnet {} {}", w.address, port(25)));
  line("demo.try.openssl", fmt::format("openssl s_client -crlf -quiet -connect {}:{}", w.address, port(995)));
  line("demo.try.starttls",
       fmt::format("openssl s_client -crlf -quiet -starttls smtp -connect {}:{}", f.address, port(587)));
  line("demo.try.swaks", fmt::format("swaks --server {}:{} --tls --auth PLAIN --auth-user {} --auth-password {} "
                                     "--from {} --to {} --header 'Subject: swaks'",
                                     f.address, port(587), f.mailbox(), demo_password, f.mailbox(), w.mailbox()));
  line("demo.try.curl", fmt::format("curl -k --user {}:{} 'imaps://{}:{}/INBOX;UID=1'", w.mailbox(), demo_password,
                                    w.address, port(993)));
  line("demo.try.mutt", fmt::format("mutt -e 'set ssl_force_tls=yes imap_user={} imap_pass={}' -f imaps://{}:{}/INBOX",
                                    w.mailbox(), demo_password, w.address, port(993)));
  line("demo.try.queue", fmt::format("facteur queue list -c {}/{}.toml", folder.path(), f.name));
  print(say("demo.thunderbird", {w.full_name, w.mailbox(), demo_password, w.address, std::to_string(port(993)),
                                 std::to_string(port(995)), w.address, std::to_string(port(465))}) +
        "\n\n");
  print(say("demo.log", {folder.path() + "/log"}) + "\n" + say("demo.stop") + "\n");
}

Task<void> Demo::run() {
  auto done = co_await round();
  if (done) {
    exit_code = ExitCode::done;
    if (!options.once && !stop.fired()) {
      invite();
      co_await world->clock.sleep_until(Instant::never(), &stop);
    }
  } else {
    complain(done.error().text + (done.error().cause.empty() ? "" : ": " + done.error().cause));
  }
  print("\n" + say("demo.ending") + "\n");
  for (auto& one : office) co_await one.stop();
}

}  // namespace

int demo(const Context& context, const DemoOptions& options) {
  Demo all(context, options);
  if (auto opened = all.open(); !opened) {
    complain(opened.error().text + ": " + opened.error().cause);
    return ExitCode::failed;
  }
  run_to_end(*all.world, all.run());
  if (!options.keep.empty()) print(all.say("demo.kept", {all.folder.path()}) + "\n");
  return all.exit_code;
}

}  // namespace facteur::cli
