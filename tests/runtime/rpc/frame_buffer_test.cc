#include "runtime/rpc/frame_buffer.h"

#include <gtest/gtest.h>

#include <vector>

#include "harness.h"

namespace assent::rpc {
namespace {

std::vector<std::string> take_all(FrameBuffer& buffer) {
  std::vector<std::string> out;
  while (const auto payload = buffer.next()) out.emplace_back(*payload);
  return out;
}

TEST(FrameBuffer, CutsTheSameFramesHoweverTheBytesArrive) {
  const std::vector<std::string> payloads = {"first", "", std::string(10'000, 'x'), "last"};
  std::string stream;
  for (const std::string& payload : payloads) stream += framed(payload);

  for (const std::size_t piece : {1u, 2u, 3u, 5u, 7u, 4'096u, 100'000u}) {
    FrameBuffer buffer(10'000);
    std::vector<std::string> cut;
    for (std::size_t at = 0; at < stream.size(); at += piece) {
      buffer.append(std::string_view(stream).substr(at, piece));
      for (std::string& payload : take_all(buffer)) cut.push_back(std::move(payload));
    }
    EXPECT_EQ(cut, payloads) << "in pieces of " << piece;
    EXPECT_TRUE(buffer.empty());
  }
}

TEST(FrameBuffer, KnowsThatAFrameIsUnderWay) {
  FrameBuffer buffer(100);
  EXPECT_TRUE(buffer.empty());

  buffer.append(framed("whole") + "x");

  EXPECT_EQ(take_all(buffer).size(), 1u);
  EXPECT_FALSE(buffer.empty());
}

TEST(FrameBuffer, RefusesAFrameOneByteTooLongBeforeItsPayload) {
  FrameBuffer buffer(10);
  buffer.append(framed(std::string(10, 'x')) + framed(std::string(11, 'x')).substr(0, 4));
  ASSERT_TRUE(buffer.next());
  EXPECT_FALSE(buffer.oversized());

  EXPECT_EQ(buffer.next(), std::nullopt);

  EXPECT_TRUE(buffer.oversized());
}

TEST(FrameBuffer, ReadsTheLengthAsUnsigned) {
  FrameBuffer buffer(1'000);
  buffer.append("\xff\xff\xff\xff");

  EXPECT_EQ(buffer.next(), std::nullopt);

  EXPECT_TRUE(buffer.oversized());
}

}  // namespace
}  // namespace assent::rpc
