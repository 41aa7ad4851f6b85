// The keeper with two processes that play a part: this program again, with the test case "played" alone.
#include "roles/keeper.hpp"

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "rfc_test.hpp"
#include "roles/messages.hpp"

using namespace facteur;
using namespace facteur::roles;
namespace fs = std::filesystem;

namespace {

constexpr const char* stage_variable = "FACTEUR_TEST_STAGE";
constexpr std::chrono::milliseconds silence{1000};

struct NoLog final : observe::Sink {
  void record(const observe::Record&) override {}
};

void wait(std::chrono::milliseconds time) { ::poll(nullptr, 0, static_cast<int>(time.count())); }

// Not as a process that nobody has collected.
bool lives(pid_t process) {
  std::ifstream in("/proc/" + std::to_string(process) + "/stat");
  std::string number, name, state;
  return static_cast<bool>(in >> number >> name >> state) && state != "Z";
}

// A folder where the players leave a note of each life.
struct Stage {
  fs::path home;
  pid_t keeper = 0;

  explicit Stage(const char* play, const std::string& configuration = "good") {
    std::string name = fs::temp_directory_path() / "facteur-keeper-XXXXXX";
    home = ::mkdtemp(name.data());
    ::setenv(stage_variable, home.c_str(), 1);
    std::ofstream(home / play) << "";
    std::ofstream(home / "configuration") << configuration;
    keeper = ::fork();
    if (keeper == 0) ::_exit(run());
  }
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;
  ~Stage() {
    if (keeper > 0) end();
    ::unsetenv(stage_variable);
    fs::remove_all(home);
  }

  static int run() {
    NoLog log;
    KeeperOptions options{.sink = log,
                          .arguments = {"test_roles", "--test-case=played", "--no-skip", "--no-intro"},
                          .ports = [] { return std::vector<Port>(); },
                          .user = {},
                          .data = {},
                          .longest_silence = silence};
    options.configuration = [home = fs::path(std::getenv(stage_variable))]() -> Result<std::string> {
      std::ifstream in(home / "configuration");
      std::string text{std::istreambuf_iterator<char>(in), {}};
      if (text.starts_with("good")) return text;
      return failure(Failure::Kind::permanent, "test", "wrong", text);
    };
    return keep(options);
  }
  int end(int how = SIGTERM) {
    ::kill(keeper, how);
    int status = 0;
    ::waitpid(std::exchange(keeper, 0), &status, 0);
    return status;
  }
  bool has(const std::string& note, std::chrono::milliseconds within = std::chrono::seconds(20)) const {
    const auto until = std::chrono::steady_clock::now() + within;
    while (!fs::exists(home / note)) {
      if (std::chrono::steady_clock::now() > until) return false;
      wait(std::chrono::milliseconds(10));
    }
    return true;
  }
};

// One life of a player.
struct Life {
  fs::path home = std::getenv(stage_variable);
  Inherited inherited;
  std::string name;
  int number = 1;

  explicit Life(Inherited from) : inherited(std::move(from)), name(inherited.role == Role::keys ? "keys" : "server") {
    while (fs::exists(home / (name + std::to_string(number)))) ++number;
    note(name + std::to_string(number), std::to_string(::getpid()));
  }
  void note(const std::string& what, const std::string& text = {}) const { std::ofstream(home / what) << text; }
  bool plays(const char* play) const { return fs::exists(home / play); }
  void say(Message message) const { send(inherited.keeper, message); }
  [[noreturn]] void stay_alive() const {
    for (;;) {
      say(Message::alive);
      wait(silence / 8);
    }
  }
  [[noreturn]] static void be_silent() {
    for (;;) wait(silence);
  }

  [[noreturn]] void serve() const {
    if (plays("slow-start") && number == 2) {  // A large store.
      wait(silence * 2);
      note("opened");
    }
    if (plays("kept")) spoil();
    say(Message::started);
    if (plays("slow-start") && number == 1) ::_exit(1);
    if (plays("slow-start") && number == 2) {
      wait(silence / 2);
      be_silent();
    }
    stay_alive();
  }
  // The first life ends behind a good configuration, the second behind a wrong one, the third stays.
  void spoil() const {
    note("kept" + std::to_string(number), inherited.configuration.value_or("none"));
    if (number > 2) return;
    note("configuration", number == 1 ? "wrong" : "good: the second");
    say(Message::started);
    ::_exit(1);
  }
  [[noreturn]] void hold_keys() const {
    if (plays("deaf-keys")) std::signal(SIGTERM, SIG_IGN);
    if (plays("stuck-keys") && number == 1) be_silent();  // They read a file that never comes.
    say(Message::started);
    if (plays("stuck-keys") && number == 2) be_silent();
    stay_alive();
  }
};

}  // namespace

TEST_CASE("played" * doctest::skip()) {
  const auto inherited = roles::inherited();
  if (!inherited || !std::getenv(stage_variable)) return;
  end_with_keeper(*inherited);
  std::signal(SIGTERM, SIG_DFL);
  const Life life(*inherited);
  if (inherited->role == Role::keys) life.hold_keys();
  life.serve();
}

TEST_CASE("a server that starts anew may take its time for its store; one that has started and is silent is ended") {
  Stage stage("slow-start");
  CHECK(stage.has("server1"));
  CHECK(stage.has("server2"));
  CHECK(stage.has("opened"));
  CHECK(stage.has("server3"));
  wait(silence * 3 / 2);
  CHECK(!stage.has("server4", {}));
  CHECK(!stage.has("keys2", {}));
}

TEST_CASE(
    "while the configuration is wrong, what starts anew gets the last one that was good; its octets as they were") {
  const std::string first = "good: the first" + std::string(10'000, '\0') + "\n";
  Stage stage("kept", first);
  const auto got = [&](const char* note) {
    REQUIRE(stage.has(note));
    wait(silence / 4);  // It is written whole.
    std::ifstream in(stage.home / note);
    return std::string{std::istreambuf_iterator<char>(in), {}};
  };
  CHECK(got("kept1") == "none");
  CHECK(got("kept2") == first);
  CHECK(got("kept3") == "none");
}

TEST_CASE("keys that are silent are ended, while they start and afterwards, and start again") {
  Stage stage("stuck-keys");
  CHECK(stage.has("keys2"));
  CHECK(stage.has("keys3"));
  wait(silence * 3 / 2);
  CHECK(!stage.has("keys4", {}));
  CHECK(!stage.has("server2", {}));
}

TEST_CASE("keys that do not end are killed with the keeper, however it ends") {
  for (const int how : {SIGTERM, SIGKILL}) {
    Stage stage("deaf-keys");
    REQUIRE(stage.has("keys1"));
    REQUIRE(stage.has("server1"));
    wait(silence / 2);
    stage.end(how);
    pid_t keys = 0;
    std::ifstream(stage.home / "keys1") >> keys;
    REQUIRE(keys > 1);
    for (int i = 0; i < 200 && lives(keys); ++i) wait(std::chrono::milliseconds(10));
    CHECK(!lives(keys));
  }
}
