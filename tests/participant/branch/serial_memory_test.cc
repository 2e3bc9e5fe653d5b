#include "participant/branch/serial_memory.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "tests/participant/branch/random.h"

namespace assent::branch {
namespace {

TEST(SerialMemory, LetsEverySerialRunOnce) {
  SerialMemory memory;
  EXPECT_TRUE(memory.see({1, 5}, 1));
  EXPECT_FALSE(memory.see({1, 5}, 1));
  EXPECT_TRUE(memory.see({1, 4}, 1));
  EXPECT_FALSE(memory.see({1, 4}, 1));
  EXPECT_TRUE(memory.see({1, 6}, 1));
  memory.check_invariants();
}

TEST(SerialMemory, RefusesWhatIsBelowTheMark) {
  SerialMemory memory;
  EXPECT_TRUE(memory.see({1, 9}, 7));
  EXPECT_FALSE(memory.see({1, 6}, 1));
  EXPECT_TRUE(memory.see({1, 7}, 1));
}

TEST(SerialMemory, LearnsTheMarkFromARefusedSerial) {
  SerialMemory memory;
  EXPECT_TRUE(memory.see({1, 1}, 1));
  EXPECT_FALSE(memory.see({1, 1}, 8));
  EXPECT_FALSE(memory.see({1, 7}, 1));
  EXPECT_TRUE(memory.see({1, 8}, 1));
}

TEST(SerialMemory, RefusesOlderOfficesAndStartsAnewWithANewerOne) {
  SerialMemory memory;
  EXPECT_TRUE(memory.see({2, 1}, 1));
  EXPECT_FALSE(memory.see({1, 2}, 1));
  EXPECT_TRUE(memory.see({3, 1}, 1));
  EXPECT_FALSE(memory.see({2, 2}, 1));
}

TEST(SerialMemory, TakesNoMarkFromAnOlderOffice) {
  SerialMemory memory;
  EXPECT_TRUE(memory.see({2, 1}, 1));
  EXPECT_FALSE(memory.see({1, 9}, 9));
  EXPECT_TRUE(memory.see({2, 2}, 1));
}

TEST(SerialMemory, TellsBeforehandAndChangesNothing) {
  SerialMemory memory;
  EXPECT_TRUE(memory.unseen({1, 3}));
  EXPECT_TRUE(memory.unseen({1, 3}));
  EXPECT_TRUE(memory.see({1, 3}, 2));
  EXPECT_FALSE(memory.unseen({1, 3}));
  EXPECT_FALSE(memory.unseen({1, 1}));
  EXPECT_FALSE(memory.unseen({0, 9}));
  EXPECT_TRUE(memory.unseen({2, 1}));
}

TEST(SerialMemory, IsAsLargeAsItHasGaps) {
  SerialMemory memory;
  for (std::uint64_t serial = 1; serial <= 1'000; ++serial) {
    EXPECT_TRUE(memory.see({1, serial}, 1));
  }
  EXPECT_EQ(memory.size(), 0U) << "serials in order leave no gap";
  EXPECT_TRUE(memory.see({1, 1'005}, 1));
  EXPECT_TRUE(memory.see({1, 1'003}, 1));
  EXPECT_EQ(memory.size(), 2U);
  EXPECT_TRUE(memory.see({1, 1'004}, 1));
  EXPECT_EQ(memory.size(), 1U);
  EXPECT_TRUE(memory.see({1, 1'010}, 1'006));
  EXPECT_EQ(memory.size(), 1U) << "the mark swallows what lies below";
}

// The same by a set of all serials of the newest office.
class PlainMemory {
 public:
  bool see(OneShotSerial serial, std::uint64_t low_water) {
    if (serial.office > office_) {
      *this = PlainMemory();
      office_ = serial.office;
    }
    if (serial.office == office_) {
      mark_ = std::max(mark_, low_water);
    }
    return serial.office == office_ && serial.serial >= mark_ && seen_.insert(serial.serial).second;
  }

 private:
  std::uint64_t office_ = 0;
  std::uint64_t mark_ = 1;
  std::set<std::uint64_t> seen_;
};

TEST(SerialMemory, AgreesWithAPlainSet) {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    Random random(seed);
    SerialMemory memory;
    PlainMemory plain;
    std::uint64_t office = 2;
    for (int step = 0; step < 200; ++step) {
      office += random.one_in(50) ? 1 : 0;
      const OneShotSerial serial{office - random.below(2), 1 + random.below(50)};
      const std::uint64_t low_water = random.one_in(10) ? 1 + random.below(40) : 0;
      ASSERT_EQ(memory.see(serial, low_water), plain.see(serial, low_water))
          << "seed " << seed << " step " << step;
      memory.check_invariants();
      ASSERT_LE(memory.size(), 25U);
    }
  }
}

}  // namespace
}  // namespace assent::branch
