#include <boost/json.hpp>
#include <set>
#include <string>

#include "base/ascii.hpp"
#include "cli/demo_office.hpp"
#include "cli/kept_open.hpp"
#include "cli/lessons.hpp"
#include "cli/print.hpp"
#include "config/load.hpp"
#include "rfc_test.hpp"

using namespace facteur;
using namespace facteur::cli;

using Speech = Lesson::Speech;

TEST_CASE("every lesson has both languages and its RFC, and is reached by its own line") {
  std::set<std::pair<int, std::string>> seen;
  for (const auto& lesson : lessons()) {
    CAPTURE(lesson.prefix);
    CHECK(!lesson.en.empty());
    CHECK(!lesson.fr.empty());
    CHECK(lesson.en != lesson.fr);
    CHECK(lesson.rfc.starts_with("RFC "));
    const int who = static_cast<int>(lesson.speech) * 2 + (lesson.client ? 1 : 0);
    CHECK(seen.insert({who, std::string(lesson.prefix)}).second);
    // "# " is any word; the lesson must not be hidden by an earlier one.
    std::string line(lesson.prefix);
    for (auto at = line.find("# "); at != std::string::npos; at = line.find("# ")) line.replace(at, 1, "a7");
    const std::string text = explain_line(observe::Language::fr, lesson.speech, lesson.client, line);
    CHECK(text == std::string(lesson.fr) + " [" + std::string(lesson.rfc) + "]");
  }
}

TEST_CASE("lines are explained whatever their case, and untagged ones are told from tagged ones") {
  const auto say = [](Speech speech, bool client, std::string_view line) {
    return explain_line(observe::Language::en, speech, client, line);
  };
  CHECK(say(Speech::smtp, true, "mail from:<x@y>").find("RFC 5321 §4.1.1.2") != std::string::npos);
  CHECK(say(Speech::imap, false, "* 3 EXISTS").find("§7.4.1") != std::string::npos);
  CHECK(say(Speech::imap, false, "x9 OK FETCH completed").find("tag") != std::string::npos);
  CHECK(say(Speech::imap, false, "* OK ready").find("ready") != std::string::npos);
  CHECK(say(Speech::smtp, true, ".").find("§4.5.2") != std::string::npos);
  CHECK(say(Speech::smtp, true, "..").empty());
  CHECK(say(Speech::smtp, true, "").empty());
  CHECK(say(Speech::imap, true, "a1").empty());
}

TEST_CASE("tables have straight columns, counted in letters") {
  CHECK(table({{"a", "bb"}, {"éé", "c"}, {}}) == "a   bb\néé  c\n\n");
  CHECK(table({}).empty());
}

TEST_CASE("answers are shown for people") {
  Context context;
  const auto accounts_answer = boost::json::parse(
      R"([{"id":1,"address":"anne@example.org","name":"Anne","quota":1048576,"enabled":false,
           "addresses":["anne@example.org","a@example.org"],"bytes":1536,"messages":3}])");
  CHECK(accounts(context, accounts_answer) ==
        "anne@example.org  3  1.5 KiB / 1.0 MiB  disabled  Anne  a@example.org\n");
  CHECK(queue(context, boost::json::parse("[]")) == "The queue is empty\n");
  context.language = observe::Language::fr;
  CHECK(queue(context, boost::json::parse("[]")) == "La file d'attente est vide\n");
  const auto entry = boost::json::parse(
      R"({"id":"abc","sender":"","recipients":[{"address":"x@y","status":"waiting","attempts":2,
          "next_try":"2026-11-20T18:30:09.000Z","last_reply":"450 later","last_host":"mx"}],
          "size":100,"arrived":"a","expires":"b","held":true,"trace":"t","header":"Subject: x\n"})");
  CHECK(queue_entry(entry).find("last_reply: 450 later\n") != std::string::npos);
  CHECK(queue_entry(entry).ends_with("\nSubject: x\n"));
}

TEST_CASE("the demonstration's configuration is one that facteur serve takes") {
  const DemoProvider provider{"free", "free.example", "127.0.0.2", "fred", "Fred"};
  const auto loaded = config::parse({{"free.toml", demo_configuration(provider, {"/tmp/x", 10000})}});
  CHECK(to_string(loaded.problems) == "");
  CHECK(loaded.config.listeners.size() == 7);
  CHECK(loaded.config.delivery.port == 10025);
  CHECK(demo_zone({provider}).starts_with("free.example. 300 IN MX 10 smtp.free.example.\n"));
}

namespace {

struct CountingLine final : Line {
  int asked = 0;
  bool gone = false;
  Result<void> send(server::ControlMessage) override { return {}; }
  Task<Result<server::ControlMessage>> receive() override {
    ++asked;
    if (gone) co_return failure(Failure::Kind::closed, "test", "gone");
    co_return server::ControlMessage{R"({"ok":false,"code":"F-6141"})", {}};
  }
};

Task<void> ask_still(KeptOpen& kept, bool& good) { good = (co_await kept.still()).has_value(); }

}  // namespace

TEST_CASE("a line to the server is never silent for long while the work is elsewhere") {
  CountingLine line;
  KeptOpen::Time now{};
  KeptOpen kept(&line, [&] { return now; });
  bool good = false;
  TaskGroup tasks;
  for (int second = 0; second < 180; ++second, now += std::chrono::seconds(1)) {
    const int before = line.asked;
    tasks.start(ask_still(kept, good));
    REQUIRE(good);
    CHECK(line.asked - before == (second > 0 && second % 10 == 0 ? 1 : 0));
  }
  line.gone = true;
  tasks.start(ask_still(kept, good));
  CHECK(!good);
  KeptOpen nobody(nullptr);
  tasks.start(ask_still(nobody, good));
  CHECK(good);
}
