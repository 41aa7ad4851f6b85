#include "reception/reception.hpp"

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "directory/store_directory.hpp"
#include "reception/pigeonholes_test.hpp"
#include "rfc_test.hpp"
#include "sim/world.hpp"
#include "smtp/command_parser.hpp"
#include "store/memory_engine.hpp"

namespace facteur::reception {
namespace {

using smtp::Reply;

directory::Settings settings() {
  directory::Settings out;
  out.domains = {"t.example"};
  out.postmaster = "anne@t.example";
  out.cost = {8, 1, 1};
  return out;
}

// A server with the accounts anne and bob, an alias and a list, and everything real but the mailboxes.
struct Stage {
  sim::World world{11};
  sim::Machine machine{world, {}};
  std::unique_ptr<store::MemoryEngine> engine = store::make_memory_engine({machine.shards, machine.clock});
  directory::StoreDirectory directory{*engine, machine.shards, machine.random, settings()};
  test::Pigeonholes mailboxes{*engine};
  std::unique_ptr<queue::Queue> queue =
      queue::make_queue(*engine, machine.shards, machine.clock, machine.random, observe::Scope(world.events));
  std::unique_ptr<Reception> reception;
  directory::AccountId anne, bob;

  Stage() {
    Parameters parameters;
    parameters.hostname = "mx.t.example";
    parameters.routing.hostname = "mx.t.example";
    parameters.routing.postmaster = "anne@t.example";
    parameters.routing.relay_domains = {"backup.example"};
    reception = make_reception({*engine, mailboxes, directory, *queue, machine.clock}, parameters);
    anne = add("anne@t.example");
    bob = add("bob@t.example");
    REQUIRE(run(directory.set_alias("both@t.example", {"anne@t.example", "bob@t.example"})));
    REQUIRE(run(directory.set_alias("away@t.example", {"bob@t.example", "away@remote.example"})));
  }

  template <class T>
  T run(Task<T> task) {
    struct Keep {
      static Task<void> to(Task<T> task, std::optional<T>& out) { out.emplace(co_await std::move(task)); }
    };
    std::optional<T> out;
    TaskGroup group;
    machine.shards.run(1, [&] { group.start(Keep::to(std::move(task), out)); });
    REQUIRE(world.run_until([&] { return out.has_value(); }));
    return std::move(*out);
  }
  directory::AccountId add(const std::string& address) {
    auto id = run(directory.add_account({address, {"secret"}, "", std::nullopt, false}));
    REQUIRE(id);
    return *id;
  }

  std::unique_ptr<Arrival> arrive(Role role, std::optional<directory::AccountId> login = {},
                                  IpAddress from = IpAddress::v4(192, 0, 2, 7)) {
    auto arrival = reception->arrive({.role = role, .address = from}, observe::Scope(world.events));
    run(arrival->on(smtp::AcceptClient{}));
    run(arrival->on(smtp::Greeted{"client.example", true}));
    if (login) arrival->logged_in(*login, "login");
    return arrival;
  }
  Reply from(Arrival& arrival, const std::string& text) {
    auto arguments = smtp::parse_mail("FROM:" + text);
    if (!arguments) return arguments.error();
    return run(arrival.on(smtp::AcceptSender{arguments->sender, arguments->parameters}));
  }
  Reply to(Arrival& arrival, const std::string& text) {
    auto arguments = smtp::parse_rcpt("TO:" + text, false);
    if (!arguments) return arguments.error();
    return run(arrival.on(smtp::AcceptRecipient{arguments->recipient, arguments->parameters}));
  }
  // In pieces of `cut` octets.
  Reply content(Arrival& arrival, std::string_view text, std::size_t cut = 1 << 16) {
    while (!text.empty()) {
      const auto piece = text.substr(0, cut);
      text.remove_prefix(piece.size());
      const smtp::AppendContent append{piece};
      if (auto reply = run(arrival.on(append)); !reply.positive()) {
        arrival.forget_mail();  // As the session orders.
        return reply;
      }
    }
    return run(arrival.on(smtp::AcceptContent{}));
  }
  Reply send(Arrival& arrival, const std::string& sender, const std::vector<std::string>& recipients,
             std::string_view text, std::size_t cut = 1 << 16) {
    if (auto reply = from(arrival, sender); !reply.positive()) return reply;
    for (const auto& recipient : recipients) {
      if (auto reply = to(arrival, recipient); !reply.positive()) return reply;
    }
    return content(arrival, text, cut);
  }
  std::vector<queue::Entry> queued() { return queue->list().value(); }
};

constexpr std::string_view letter = "From: x@remote.example\r\nTo: anne@t.example\r\nSubject: hi\r\n\r\nHello\r\n";

}  // namespace

TEST_CASE_FIXTURE(Stage, "RFC 5321 §7.9: no trick of RELIABILITY 4.2 makes an outsider's mail go elsewhere") {
  struct Case {
    std::string recipient;
    bool accepted = false;
  };
  const std::vector<Case> cases{
      {"<victim%remote.example@t.example>"},
      {"<\"victim@remote.example\"@t.example>"},
      {"<@t.example:victim@remote.example>"},
      {"<@t.example,@x.example:victim@remote.example>"},
      {"<victim@remote.example@t.example>"},
      {"<remote.example!victim@t.example>"},
      {"<victim@[127.0.0.1]>"},
      {"<victim@[IPv6:::1]>"},
      {"<victim%remote.example@[127.0.0.1]>"},
      {"<victim@remote.example%t.example>"},
      {"<<victim@remote.example>>"},
      {std::string("<victim@t.example\0.remote.example>", 34)},
      {"<victim@t.example(.remote.example>"},
      {"<=?utf-8?q?victim=40remote.example=3e?=@t.example>"},
      {"<-oQ/tmp@t.example>"},
      {"<|/bin/id@t.example>"},
      {"</etc/passwd@t.example>"},
      {"<${run{/bin/id}}@t.example>"},
      {"<victim+../../x@t.example>"},
      {"<" + std::string(65, 'a') + "@t.example>"},
      {"<victim@" + std::string(64, 'a') + ".example>"},
      {"<victim@" + std::string(297, 'a') + ".example>"},
      {"<victim@remote.example>"},
      {"<;id;@x>"},
      {"<@remote.example:anne@t.example>", true},  // The route is dropped: ours after all.
      {"<postmaster>", true},
      {"<Postmaster>", true},
      {"<postmaster@t.example>", true},
      {"<anne@t.example>", true},
      {"<anybody@backup.example>", true},  // A relay domain of the configuration.
  };
  for (const auto role : {Role::exchanger, Role::lmtp}) {
    for (const auto& [recipient, accepted] : cases) {
      CAPTURE(recipient);
      auto arrival = arrive(role);
      REQUIRE(from(*arrival, "<a@remote.example>").positive());
      const auto reply = to(*arrival, recipient);
      CHECK(reply.positive() == accepted);
      if (!accepted) CHECK(reply.permanent());
    }
  }
  // Without a login, the submission port takes nothing at all.
  auto submission = arrive(Role::submission);
  CHECK(from(*submission, "<anne@t.example>").code == 530);
}

TEST_CASE_FIXTURE(Stage, "RFC 5321 §4.4: a local recipient gets the message with its trace, byte for byte, once") {
  auto arrival = arrive(Role::exchanger);
  const auto reply = send(*arrival, "<x@remote.example>", {"<anne@t.example>"}, letter);
  REQUIRE(reply.code == 250);
  const auto copies = mailboxes.copies();
  REQUIRE(copies.size() == 1);
  CHECK(copies[0].account == anne);
  CHECK(copies[0].content == letter);
  CHECK(
      copies[0].prefix.starts_with("Return-Path: <x@remote.example>\r\nDelivered-To: anne@t.example\r\n"
                                   "Received: from client.example ([192.0.2.7])\r\n\tby mx.t.example"));
  CHECK(copies[0].prefix.contains("with ESMTP"));
  CHECK(copies[0].prefix.contains("for <anne@t.example>"));
  CHECK(copies[0].prefix.contains(reply.text.substr(reply.text.rfind(' ') + 1)));
  CHECK(queued().empty());
  CHECK(arrival->messages() == 1);
}

TEST_CASE_FIXTURE(Stage, "several recipients and aliases: one copy an account, the rest in the queue, one commit") {
  auto arrival = arrive(Role::exchanger);
  REQUIRE(send(*arrival, "<x@remote.example>",
               {"<anne@t.example>", "<both@t.example>", "<away@t.example>", "<someone@backup.example>"}, letter)
              .code == 250);
  auto copies = mailboxes.copies();
  REQUIRE(copies.size() == 2);
  CHECK(copies[0].account == anne);
  CHECK(copies[1].account == bob);
  CHECK_FALSE(copies[0].prefix.contains("for <"));  // RFC 5321 §7.2.
  const auto entries = queued();
  REQUIRE(entries.size() == 2);
  for (const auto& entry : entries) {
    REQUIRE(entry.recipients.size() == 1);
    const bool forwarded = entry.recipients[0].address == "away@remote.example";
    CHECK((forwarded || entry.recipients[0].address == "someone@backup.example"));
    // RFC 9228: what an alias sends on is known when it comes back.
    CHECK(entry.prefix.contains("Delivered-To: away@t.example\r\n") == forwarded);
    CHECK(entry.sender == "x@remote.example");
    CHECK_FALSE(entry.authenticated);
    CHECK(engine->content(entry.content).value()->text() == letter);
  }
  // The forwarded one comes back.
  auto again = arrive(Role::exchanger);
  CHECK(
      send(*again, "<x@remote.example>", {"<away@t.example>"}, "Delivered-To: Away@T.example\r\n" + std::string(letter))
          .code == 554);
}

TEST_CASE_FIXTURE(Stage, "RFC 6409 §6.1: a login sends as itself, to anywhere, and others' names are refused") {
  auto arrival = arrive(Role::submission, anne);
  const std::string mine =
      "From: Anne <anne@t.example>\r\nDate: Fri, 21 Nov 1997 09:55:06 -0600\r\nMessage-ID: <1@t>\r\n\r\nx\r\n";
  CHECK(send(*arrival, "<anne@t.example>", {"<far@remote.example>", "<bob@t.example>"}, mine).code == 250);
  REQUIRE(queued().size() == 1);
  CHECK(queued()[0].authenticated);
  CHECK(queued()[0].prefix.contains("with ESMTPA"));
  CHECK_FALSE(queued()[0].prefix.contains("Message-ID"));
  CHECK_FALSE(queued()[0].prefix.contains("Return-Path"));
  CHECK(mailboxes.copies().size() == 1);
  CHECK(from(*arrival, "<bob@t.example>").code == 550);
  CHECK(from(*arrival, "<anne@remote.example>").code == 550);
  CHECK(from(*arrival, "<anne+list@t.example>").positive());
  CHECK(from(*arrival, "<>").positive());
  const auto says = [&](const std::string& header) {
    return send(*arrival, "<anne@t.example>", {"<far@remote.example>"}, header + "\r\nx\r\n").code;
  };
  CHECK(says("From: bob@t.example\r\n") == 550);
  CHECK(says("From: anne@t.example, bob@t.example\r\n") == 550);
  CHECK(says("From: anne@t.example\r\nFrom: bob@t.example\r\n") == 550);
  CHECK(says("From: anne@t.example\r\nFrom : bob@t.example\r\n") == 550);
  CHECK(says("From: nobody\r\n") == 550);
  CHECK(says("From: us: anne@t.example, bob@t.example;\r\n") == 550);  // RFC 6854.
  CHECK(says("From: us: anne@t.example;\r\n") == 250);
  for (const auto* unclear :
       {"From: anne@t.example <bob@t.example>\r\n", "From: Anne <@x.example:anne@t.example>\r\n"}) {
    const auto reply = send(*arrival, "<anne@t.example>", {"<far@remote.example>"}, unclear + std::string("\r\nx\r\n"));
    CHECK(reply.code == 550);
    CHECK(reply.text.contains("cannot be read for certain"));
  }
  CHECK(says("From: \r\n") == 550);
  CHECK(says("From: \"bob@t.example\" <anne@t.example>\r\n") == 250);
}

TEST_CASE_FIXTURE(Stage, "RFC 6409 §8: what a submission lacks is added, Bcc is taken away, the rest stays") {
  for (const std::size_t cut : {std::size_t{1}, std::size_t{7}, std::size_t{1 << 16}}) {
    auto arrival = arrive(Role::submission, anne);
    const std::string text =
        "Subject: x\r\nBcc: secret@remote.example,\r\n more@remote.example\r\nTo: b@c.example\r\nbcc: "
        "again@x.example\r\n\r\n"
        "Bcc: in the body stays\r\n";
    REQUIRE(send(*arrival, "<anne@t.example>", {"<far@remote.example>"}, text, cut).code == 250);
    const auto entry = queued().back();
    CHECK(engine->content(entry.content).value()->text() ==
          "Subject: x\r\nTo: b@c.example\r\n\r\nBcc: in the body stays\r\n");
    CHECK(entry.prefix.contains("\r\nMessage-ID: <"));
    CHECK(entry.prefix.contains("@mx.t.example>\r\nDate: "));
    CHECK(entry.prefix.ends_with("From: anne@t.example\r\n"));
  }
  // At the exchanger nothing is changed.
  auto arrival = arrive(Role::exchanger);
  REQUIRE(send(*arrival, "<x@remote.example>", {"<bob@t.example>"}, "Bcc: x@y.example\r\n\r\nx\r\n").code == 250);
  CHECK(mailboxes.copies().back().content == "Bcc: x@y.example\r\n\r\nx\r\n");
  CHECK_FALSE(mailboxes.copies().back().prefix.contains("Date:"));
}

TEST_CASE_FIXTURE(Stage, "messages without a header, without a body, and empty ones are taken as they are") {
  struct Case {
    std::string text;
    bool separated;
  };
  for (const auto& [text, separated] : std::vector<Case>{{"Hello\r\n", true},
                                                         {"\r\nHello\r\n", false},
                                                         {"Subject: only\r\n", false},
                                                         {"", false},
                                                         {" folded first\r\n\r\n", true}}) {
    CAPTURE(text);
    for (const std::size_t cut : {std::size_t{1}, std::size_t{1 << 16}}) {
      auto arrival = arrive(Role::exchanger);
      REQUIRE(send(*arrival, "<x@remote.example>", {"<bob@t.example>"}, text, cut).code == 250);
      CHECK(mailboxes.copies().back().content == text);
      CHECK(mailboxes.copies().back().prefix.ends_with("\r\n\r\n") == separated);
    }
  }
}

TEST_CASE_FIXTURE(Stage, "RFC 5321 §6.3: loops, two From fields and huge headers are refused") {
  auto arrival = arrive(Role::exchanger);
  const auto says = [&](const std::string& text, std::size_t cut = 1 << 16) {
    return send(*arrival, "<x@remote.example>", {"<bob@t.example>"}, text, cut).code;
  };
  std::string hops;
  for (int i = 0; i < 100; ++i) hops += "Received: from a by b; Fri, 21 Nov 1997 09:55:06 -0600\r\n";
  CHECK(says(hops + "\r\nx\r\n") == 250);
  CHECK(says("Received: one more\r\n" + hops + "\r\nx\r\n") == 554);
  CHECK(says("From: a@b.example\r\nFrom: c@d.example\r\n\r\nx\r\n") == 550);
  CHECK(says("X: " + std::string(1 << 20, 'x') + "\r\n\r\n", 1 << 16) == 552);
  CHECK(says("X: " + std::string(1000, 'x') + "\r\n\r\n" + std::string(3 << 20, 'y'), 1 << 16) == 250);
  CHECK(mailboxes.copies().size() == 2);
  CHECK(mailboxes.last_head == "X: " + std::string(1000, 'x') + "\r\n\r\n");  // Its threads are found by it.
}

TEST_CASE_FIXTURE(Stage, "RFC 5322 §3.6.2: a stranger's From that two readers could read differently is refused") {
  const auto says = [&](const std::string& header, Role role = Role::exchanger) {
    auto arrival = arrive(role);
    return send(*arrival, "<x@remote.example>", {"<bob@t.example>"}, header + "To: bob@t.example\r\n\r\nx\r\n").code;
  };
  for (const auto* good : {
           "From: a@b.example\r\n",
           "From: Anne <a@b.example>, Bob <c@b.example>\r\nSender: a@b.example\r\n",
           "Subject: nobody says who\r\n",
           "From someone Fri Nov 21 09:55:06 1997\r\nFrom: a@b.example\r\n",
           "From: a@b.example <a@b.example>\r\n",
           "From: a@b.example,\r\n",
           "From: Team: a@b.example;\r\n",
           "From: Team: a@b.example, c@b.example;\r\nSender: a@b.example\r\n",
           "From: =?utf-8?q?Roux,_Anne_(x)?= <a@b.example>\r\n",
       }) {
    CAPTURE(good);
    CHECK(says(good) == 250);
  }
  for (const auto* doubtful : {
           "From:\r\n",
           "From: a@b.example, c@b.example\r\n",
           "From: Team: a@b.example, c@b.example;\r\n",
           "From: Team: a@b.example, c@d.example;\r\nSender: a@b.example\r\n",
           "From: a@victim.example <a@b.example>\r\n",
           "From: a@b.example, c@d.example\r\nSender: a@b.example\r\n",
           "Sender: a@b.example\r\n",
           "Resent-From: a@b.example\r\n",
           " From: a@victim.example\r\nFrom: c@d.example\r\n",
           "From\r\n : a@victim.example\r\n",
           "From\r\n : a@victim.example\r\nFrom: c@d.example\r\n",
           "From: <a@b.example>c@victim.example\r\n",
       }) {
    CAPTURE(doubtful);
    CHECK(says(doubtful) == 550);
    // By LMTP it was taken by another server: it could only bounce.
    CHECK(says(doubtful, Role::lmtp) == 250);
  }
}

TEST_CASE_FIXTURE(Stage, "headers without end share their memory: many at once are told to come again, others go on") {
  std::vector<std::unique_ptr<Arrival>> strangers;
  const std::string half = "X: " + std::string(700'000, 'x') + "\r\n";
  const auto told = [&](int count, Role role, auto address) {
    int refused = 0;
    for (int i = 0; i < count; ++i) {
      strangers.push_back(arrive(role, {}, address(i)));
      REQUIRE(from(*strangers.back(), "<x@remote.example>").positive());
      REQUIRE(to(*strangers.back(), "<bob@t.example>").positive());
      const smtp::AppendContent append{half};
      const auto reply = run(strangers.back()->on(append));
      CHECK((reply.positive() || reply.code == 452));
      if (reply.code != 452) continue;
      ++refused;
      strangers.back()->forget_mail();
    }
    return refused;
  };
  const auto one_network = [](int i) { return IpAddress::v4(198, 51, 100, static_cast<std::uint8_t>(i)); };
  const auto many_networks = [](int i) { return IpAddress::v4(10, 0, static_cast<std::uint8_t>(i), 1); };
  // 16 MiB of one /24, 64 MiB of all: each holds 700,000 octets less the 65,536 of its own.
  CHECK(told(40, Role::exchanger, one_network) == 40 - 26);
  CHECK(told(100, Role::exchanger, many_networks) == 100 - (105 - 26));
  // Headers of the usual size, and large ones that come at once, are taken all the same.
  auto honest = arrive(Role::exchanger);
  const auto large = half + std::string(letter);
  CHECK(send(*honest, "<x@remote.example>", {"<bob@t.example>"}, letter, 7).code == 250);
  CHECK(send(*honest, "<x@remote.example>", {"<bob@t.example>"}, large).code == 452);
  CHECK(send(*honest, "<x@remote.example>", {"<bob@t.example>"}, large, large.size()).code == 250);
  // Our users and LMTP have room of their own.
  auto user = arrive(Role::submission, anne);
  const auto mine = half + "From: anne@t.example\r\n\r\nx\r\n";
  CHECK(send(*user, "<anne@t.example>", {"<bob@t.example>"}, mine).code == 250);
  auto local = arrive(Role::lmtp);
  CHECK(send(*local, "<x@remote.example>", {"<bob@t.example>"}, large).code == 250);
  // What is given up gives its memory back.
  for (auto& stranger : strangers) stranger->forget_mail();
  CHECK(send(*honest, "<x@remote.example>", {"<bob@t.example>"}, large).code == 250);
  // A proxy on this machine is many networks.
  CHECK(told(110, Role::exchanger, [](int) { return IpAddress::loopback(); }) == 110 - 105);
  strangers.clear();
}

TEST_CASE_FIXTURE(Stage, "full disks, full mailboxes and sleeping accounts say so early, with the right code") {
  auto arrival = arrive(Role::exchanger);
  engine->set_health(store::Engine::Health::low_space);
  CHECK(from(*arrival, "<x@remote.example>").code == 452);
  engine->set_health(store::Engine::Health::read_only);
  CHECK(from(*arrival, "<x@remote.example>").code == 451);
  engine->set_health(store::Engine::Health::good);
  REQUIRE(run(directory.set_quota("anne@t.example", 1000)));
  mailboxes.used[anne.value] = 900;
  REQUIRE(from(*arrival, "<x@remote.example> SIZE=100").positive());
  CHECK(to(*arrival, "<anne@t.example>").positive());
  REQUIRE(from(*arrival, "<x@remote.example> SIZE=101").positive());
  CHECK(to(*arrival, "<anne@t.example>").code == 552);
  CHECK(to(*arrival, "<bob@t.example>").positive());
  REQUIRE(run(directory.set_enabled("bob@t.example", false)));
  CHECK(to(*arrival, "<bob@t.example>").code == 450);
  CHECK(to(*arrival, "<nobody@t.example>").code == 550);
  CHECK(to(*arrival, "<nobody@t.example>").enhanced == "5.1.1");
  CHECK(to(*arrival, "<x@elsewhere.example>").enhanced == "5.7.1");
}

TEST_CASE_FIXTURE(Stage,
                  "RFC 5321 §6.1: when the commit fails nothing is there, and the client is told to come again") {
  for (const auto* recipient : {"<bob@t.example>", "<x@backup.example>", "<away@t.example>"}) {
    auto arrival = arrive(Role::exchanger);
    engine->fail_commits(1);
    const auto reply = send(*arrival, "<x@remote.example>", {recipient}, letter);
    CHECK(reply.temporary());
    CHECK(mailboxes.copies().empty());
    CHECK(queued().empty());
    CHECK(arrival->messages() == 0);
  }
  auto arrival = arrive(Role::exchanger);
  CHECK(send(*arrival, "<x@remote.example>", {"<away@t.example>"}, letter).code == 250);
  CHECK(mailboxes.copies().size() == 1);
  CHECK(queued().size() == 1);
}

TEST_CASE_FIXTURE(Stage,
                  "RFC 3461 §4: parameters of reports reach the queue; success for a local one goes through it") {
  auto arrival = arrive(Role::submission, anne);
  REQUIRE(send(*arrival, "<anne@t.example> RET=HDRS ENVID=QQ314159",
               {"<bob@t.example> NOTIFY=SUCCESS ORCPT=rfc822;Bob+40t.example", "<far@remote.example> NOTIFY=NEVER"},
               "\r\nx\r\n")
              .code == 250);
  CHECK(mailboxes.copies().empty());
  REQUIRE(queued().size() == 1);
  const auto entry = queued()[0];
  CHECK(entry.envelope_id == "QQ314159");
  CHECK(entry.ret == 2);
  REQUIRE(entry.recipients.size() == 2);
  CHECK(entry.recipients[0].address == "bob@t.example");
  CHECK(entry.recipients[0].original == "rfc822;Bob@t.example");
  CHECK(entry.recipients[0].notify == smtp::RcptParameters::success);
  CHECK(entry.recipients[1].notify == smtp::RcptParameters::never);
}

TEST_CASE_FIXTURE(Stage, "RFC 5321 §3.5: VRFY tells of our own users only, and says when a name is ambiguous") {
  auto arrival = arrive(Role::exchanger);
  const auto verify = [&](const std::string& name) { return run(arrival->on(smtp::Verify{name})); };
  CHECK(verify("anne").code == 250);
  CHECK(verify("anne").text == "<anne@t.example>");
  CHECK(verify("<both@t.example>").code == 250);
  CHECK(verify("nobody").code == 550);
  CHECK(verify("x@remote.example").code == 252);
  CHECK(verify("a b c").code == 550);
  REQUIRE(run(directory.add_domain("second.example")));
  add("anne@second.example");
  CHECK(verify("anne").code == 553);
}

TEST_CASE_FIXTURE(Stage, "RFC 1985 §5.3: ETRN starts what waits for a domain we relay for, and for no other") {
  auto arrival = arrive(Role::exchanger);
  const auto start = [&](const std::string& node) { return run(arrival->on(smtp::StartQueue{node})).code; };
  CHECK(start("backup.example") == 251);
  REQUIRE(send(*arrival, "<x@remote.example>", {"<one@backup.example>"}, letter).code == 250);
  CHECK(start("backup.example") == 253);
  CHECK(start("@Backup.example") == 253);
  CHECK(start("remote.example") == 459);
  CHECK(start("t.example") == 459);
  CHECK(start("#queue") == 459);
  CHECK(start("@") == 459);
}

TEST_CASE_FIXTURE(Stage, "a message that was forgotten leaves nothing, and the next one starts afresh") {
  auto arrival = arrive(Role::exchanger);
  REQUIRE(from(*arrival, "<x@remote.example>").positive());
  REQUIRE(to(*arrival, "<bob@t.example>").positive());
  const smtp::AppendContent append{"From: a@b.example\r\n\r\nhalf"};
  REQUIRE(run(arrival->on(append)).positive());
  arrival->forget_mail();
  CHECK(run(arrival->on(smtp::AcceptContent{})).code == 503);
  CHECK(mailboxes.copies().empty());
  REQUIRE(send(*arrival, "<x@remote.example>", {"<anne@t.example>"}, letter).code == 250);
  REQUIRE(mailboxes.copies().size() == 1);
  CHECK(mailboxes.copies()[0].account == anne);
  CHECK(mailboxes.copies()[0].content == letter);
}

}  // namespace facteur::reception
