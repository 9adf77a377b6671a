"""What a person looks at: pictures of arrays, and the pages that gather them."""
